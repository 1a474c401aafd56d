"""Data sets and loaders of segmentation: labels arrive as the classes say, or not at all."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from semcl_mm.downstream import (
    CamVidDataset,
    CheckedImage,
    CheckedSegAnnotations,
    CityscapesSplits,
    CityscapesSubmission,
    RandomScale,
    ToySegDataset,
)


@pytest.fixture
def camvid(tmp_path):
    for folder in ('train', 'trainannot'):
        (tmp_path / folder).mkdir()
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8)).save(tmp_path / 'train/a.jpg')
    label = rng.integers(0, 12, (6, 8)).astype(np.uint8)
    Image.fromarray(label).save(tmp_path / 'trainannot/a.png')
    return tmp_path, label


def load(root, num_classes=11):
    data_set = CamVidDataset(
        data_root=str(root),
        data_prefix=dict(img_path='train', seg_map_path='trainannot'),
        pipeline=[CheckedImage(), CheckedSegAnnotations(num_classes=num_classes)],
    )
    return data_set[0]


def test_camvid_ignores_unlabelled_pixels_and_keeps_the_others(camvid):
    root, label = camvid
    assert np.array_equal(load(root)['gt_seg_map'], np.where(label == 11, 255, label))


def test_camvid_names_eleven_classes():
    assert len(CamVidDataset.METAINFO['classes']) == len(CamVidDataset.METAINFO['palette']) == 11


def test_a_label_outside_the_classes_names_file_and_values(camvid):
    root, label = camvid
    label[0, 0], label[1, 1] = 40, 200
    Image.fromarray(label).save(root / 'trainannot/a.png')
    with pytest.raises(ValueError, match=r'a\.png: label values \[40, 200\] are outside 0\.\.10'):
        load(root)


def test_a_label_of_another_size_names_both_files(camvid):
    root, label = camvid
    Image.fromarray(label[:3]).save(root / 'trainannot/a.png')
    with pytest.raises(ValueError, match=r'a\.png: the label map is 8 x 3 .*a\.jpg is 8 x 6'):
        load(root)


def test_images_come_as_stored_in_bgr(tmp_path):
    """A note that says "rotate by 90 degrees" must not turn the image away from its labels."""
    pixels = np.zeros((4, 6, 3), np.uint8)
    pixels[..., 0] = 200  # red
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels).save(tmp_path / 'a.png', exif=exif)
    results = CheckedImage()({'img_path': str(tmp_path / 'a.png')})
    assert results['img'].shape == (4, 6, 3)
    assert results['ori_shape'] == (4, 6)
    assert results['img'][0, 0].tolist() == [0, 0, 200]


def test_a_cut_image_is_an_error(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / 'a.jpg')
    content = (tmp_path / 'a.jpg').read_bytes()
    (tmp_path / 'a.jpg').write_bytes(content[: len(content) * 2 // 3])
    with pytest.raises(ValueError, match=r'a\.jpg: truncated'):
        CheckedImage()({'img_path': str(tmp_path / 'a.jpg')})


def test_the_toy_world_is_a_segmentation_data_set(toy_world):
    data_set = ToySegDataset(
        data_root=str(toy_world),
        ann_file='ImageSets/Segmentation/val.txt',
        data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
        pipeline=[CheckedImage(), CheckedSegAnnotations(num_classes=9)],
    )
    assert len(data_set) == 6
    assert {int(v) for item in data_set for v in np.unique(item['gt_seg_map'])} <= {*range(9), 255}


def test_random_scale_draws_factors_of_the_images_own_size_and_keeps_labels_as_they_are():
    image = np.zeros((40, 60, 3), np.uint8)
    labels = np.repeat(np.array([[3, 255]], np.uint8), 30, axis=1).repeat(40, axis=0)
    factors = []
    for _ in range(30):
        results = dict(img=image, gt_seg_map=labels, seg_fields=['gt_seg_map'])
        results = RandomScale(ratio_range=(0.5, 2.0))(results)
        height, width = results['img'].shape[:2]
        assert results['gt_seg_map'].shape == (height, width)
        assert set(np.unique(results['gt_seg_map'])) == {3, 255}
        assert width / height == pytest.approx(1.5, abs=0.05)
        factors.append(height / 40)
    assert 0.5 <= min(factors) < 0.8
    assert 1.5 < max(factors) <= 2.0
    with pytest.raises(ValueError, match='ratio_range'):
        RandomScale(ratio_range=(2.0, 0.5))


def test_two_splits_of_cityscapes_are_one_data_set_that_numbers_every_image(tmp_path):
    for split, names in (('train', ('b', 'a')), ('val', ('c',)), ('test', ('d',))):
        for folder, suffix in (('leftImg8bit', ''), ('gtFine', '_gtFine_labelTrainIds')):
            place = tmp_path / folder / split / 'city'
            place.mkdir(parents=True)
            for name in names:
                stem = f'{name}_leftImg8bit' if folder == 'leftImg8bit' else name + suffix
                (place / f'{stem}.png').touch()
    data_set = CityscapesSplits(
        splits=('train', 'val'),
        data_root=str(tmp_path),
        data_prefix=dict(img_path='leftImg8bit', seg_map_path='gtFine'),
    )
    found = [data_set.get_data_info(index) for index in range(len(data_set))]
    assert [info['sample_idx'] for info in found] == [0, 1, 2]
    names = [Path(info['img_path']).relative_to(tmp_path / 'leftImg8bit') for info in found]
    assert [str(name)[:-4] for name in names] == [
        f'{place}_leftImg8bit' for place in ('train/city/a', 'train/city/b', 'val/city/c')
    ]
    assert all(Path(info['seg_map_path']).is_file() for info in found)


def test_a_submission_holds_the_benchmarks_label_of_every_class(tmp_path):
    classes = torch.arange(19).view(1, 1, 19)
    metric = CityscapesSubmission()
    metric.set_work_dir(str(tmp_path))
    sample = dict(pred_sem_seg=dict(data=classes), img_path='x/berlin_1_leftImg8bit.png')
    metric.process({}, [sample])
    assert metric.evaluate(size=1) == {'images_written': 1}
    written = np.asarray(Image.open(tmp_path / 'submission/berlin_1_leftImg8bit.png'))
    # road 7, sidewalk 8, building 11 … bicycle 33, as the benchmark's table of labels has them
    expected = '7 8 11 12 13 17 19 20 21 22 23 24 25 26 27 28 31 32 33'
    assert written.tolist() == [[int(label) for label in expected.split()]]
