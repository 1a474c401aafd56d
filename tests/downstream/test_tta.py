"""Testing over scales and flips: it is the mean of single passes, at the size of the image."""

import json
import runpy
import sys

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from narrow_configs import narrow_model

from semcl_mm.registry import MODELS

SCALES = (0.75, 1.0, 1.25, 1.5, 1.75, 2.0)


@pytest.fixture(scope='module')
def photo(tmp_path_factory):
    """An image of 72 x 96 smooth blobs and a label map that fits it."""
    folder = tmp_path_factory.mktemp('photo')
    generator = np.random.default_rng(0)
    image = cv2.resize(generator.integers(0, 256, (6, 8, 3), np.uint8), (96, 72))
    labels = cv2.resize(generator.integers(0, 11, (6, 8), np.uint8), (96, 72), interpolation=0)
    cv2.imwrite(str(folder / 'image.png'), image)
    cv2.imwrite(str(folder / 'labels.png'), labels)
    return folder, image, labels


@pytest.mark.parametrize(
    ('leaf', 'scales'),
    [
        ('hrnet-w48_camvid_contrast', SCALES),
        ('hrnet-w48_cityscapes_authors-code', (0.5, *SCALES)),
        ('ocr-r101_cityscapes_contrast', SCALES),
    ],
)
def test_tta_is_the_mean_of_the_probabilities_of_single_passes(repository, photo, leaf, scales):
    folder, image, labels = photo
    cfg = Config.fromfile(repository / f'configs/pixel_contrast/{leaf}.py')
    torch.manual_seed(0)
    model = MODELS.build(narrow_model(cfg)).eval()
    heads = model.decode_head
    classifier = (heads[-1] if isinstance(heads, torch.nn.ModuleList) else heads).conv_seg
    with torch.no_grad():  # a fresh classifier's scores are all but equal
        spread = model(torch.randn(1, 3, 72, 96), mode='tensor').std(dim=(2, 3)).mean()
        classifier.weight.mul_(2 / spread)
    paths = dict(img_path=str(folder / 'image.png'), seg_map_path=str(folder / 'labels.png'))
    results = dict(paths, label_map=None, reduce_zero_label=False, seg_fields=[])
    data = pseudo_collate([Compose(cfg.tta_pipeline)(results)])
    with torch.no_grad():
        (found,) = MODELS.build(dict(cfg.tta_model, module=model)).test_step(data)

        probabilities, single = [], None
        for scale in scales:
            size = int(96 * scale + 0.5), int(72 * scale + 0.5)
            resized = torch.from_numpy(cv2.resize(image, size)).permute(2, 0, 1)
            for flip in (False, True):
                pixels = (resized.flip(-1) if flip else resized).flip(0).float()  # BGR to RGB
                processor = model.data_preprocessor
                scores = model(((pixels - processor.mean) / processor.std)[None], mode='tensor')
                scores = F.interpolate(
                    scores, size[::-1], mode='bilinear', align_corners=model.align_corners
                )
                scores = scores.flip(-1) if flip else scores
                scores = F.interpolate(
                    scores, (72, 96), mode='bilinear', align_corners=model.align_corners
                )
                probabilities.append(scores.softmax(dim=1))
                if scale == 1 and not flip:
                    single = scores.argmax(dim=1)
        mean = sum(probabilities) / len(probabilities)
    assert len(probabilities) == 2 * len(scales)
    prediction = found.pred_sem_seg.data
    clear = mean.topk(2, dim=1).values.diff(dim=1).abs().squeeze(1) > 1e-5
    assert clear.float().mean() > 0.9
    assert torch.equal(prediction[clear], mean.argmax(dim=1)[clear])
    assert not torch.equal(prediction, single)
    assert torch.equal(found.gt_sem_seg.data[0], torch.from_numpy(labels).long())


@pytest.mark.parametrize('split', ['test', 'trainval'])
def test_images_without_labels_are_read_for_the_server_at_every_scale(repository, photo, split):
    leaf = f'configs/pixel_contrast/hrnet-w48_cityscapes-{split}_contrast.py'
    cfg = Config.fromfile(repository / leaf)
    image = dict(img_path=str(photo[0] / 'image.png'), reduce_zero_label=False, seg_fields=[])
    data = Compose(cfg.tta_pipeline)(dict(image))
    widths = [inputs.shape[-1] for inputs in data['inputs']]
    assert widths == [round(96 * scale) for scale in SCALES for _ in range(2)]
    assert [sample.flip for sample in data['data_samples']] == [False, True] * len(SCALES)
    single = Compose(cfg.test_dataloader.dataset.pipeline)(dict(image))
    assert single['inputs'].shape == (3, 72, 96)
    assert 'gt_sem_seg' not in single['data_samples']
    assert cfg.val_dataloader.dataset.data_prefix.seg_map_path == 'gtFine/val'


@pytest.mark.parametrize('images', [6, 1])
def test_the_command_writes_the_score_and_a_record_that_says_how_it_was_tested(
    repository, toy_world, tmp_path, images
):
    """On the images of the config; and on one of them, which no table may take for a paper's."""
    config = repository / 'configs/pixel_contrast/upernet_r18_toy.py'
    model = MODELS.build(Config.fromfile(config).model)
    run = dict(run_id='r', name='toy', config=str(config), config_hash='h', iterations=9, seed=0)
    run |= dict(max_iters=9, as_published=True, status='running', schema=1)
    checkpoint = tmp_path / 'iter_9.pth'
    torch.save(dict(state_dict=model.state_dict(), meta=dict(run=run)), checkpoint)
    options = ['--tta', '--work-dir', tmp_path / 'w', '--out', tmp_path / 'm.json', '--cfg-options']
    options += [f'test_dataloader.dataset.data_root={toy_world}', 'test_dataloader.num_workers=0']
    if images == 1:
        (name, *_) = (toy_world / 'ImageSets/Segmentation/val.txt').read_text().split()
        (tmp_path / 'one.txt').write_text(name)
        options.append(f'test_dataloader.dataset.ann_file={tmp_path / "one.txt"}')
    before, sys.argv = sys.argv, ['test.py', *map(str, (config, checkpoint, *options))]
    try:
        runpy.run_path(str(repository / 'tools/test.py'), run_name='__main__')
    finally:
        sys.argv = before
    metrics = json.loads((tmp_path / 'm.json').read_text())
    (path,) = (tmp_path / 'w').glob('*/record.json')
    record = json.loads(path.read_text())
    assert record['metrics_final'] == metrics
    assert metrics['mIoU'] >= 0
    assert (record['tested_run'], record['status']) == ('r', 'finished')
    assert record['samples'] == {'val': images}
    if images == 6:
        assert (record['run_id'], record['protocol']) == ('r-tta', 'multi-scale and flip')
        assert record['as_published'] is True
    else:
        assert record['run_id'] == 'r-tta-changed'
        assert record['protocol'] == 'multi-scale and flip, other test settings'
        assert list(record['deviations']) == ['evaluation']
