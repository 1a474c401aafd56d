"""The leaves of pixel contrast: each is its baseline and one head more, and each of them trains."""

import copy
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from narrow_configs import CROP, batch, narrow_model, train_and_predict

from semcl_mm.analysis.paper_cells import paper_cells, read_paper_numbers
from semcl_mm.downstream import without_contrast
from semcl_mm.registry import MODELS

FOLDER = Path(__file__).resolve().parents[1] / 'configs' / 'pixel_contrast'
LEAVES = sorted(path.stem for path in FOLDER.glob('*.py'))
# One leaf per network and data set is trained in the default run, the other settings as slow tests.
USUAL = {
    'deeplabv3-r101_cityscapes_contrast',
    'hrnet-w48_cityscapes_authors-code',
    'hrnet-w48_cityscapes_hard-anchors_hardest-keys_40k',
    'ocr-r101_cityscapes_contrast',
    'ocr-hrnet-w48_coco-stuff10k_contrast',
    'segformer-b2_cityscapes_contrast',
    'hrnet-w48_pascal-context_contrast',
    'hrnet-w48_camvid_baseline',
    'upernet_r18_toy',
}
STRIDES = {'deeplabv3-r101': 8, 'ocr-r101': 8, 'hrnet-w48': 4, 'ocr-hrnet-w48': 4}
STRIDES |= {'segformer-b2': 4, 'upernet_r18_toy': 4}
CHANNELS = {'deeplabv3-r101': 2048, 'ocr-r101': 2048, 'hrnet-w48': 720, 'ocr-hrnet-w48': 720}


def parse(stem):
    return Config.fromfile(FOLDER / f'{stem}.py')


@pytest.mark.parametrize(
    'stem', [pytest.param(s, marks=[pytest.mark.slow] * (s not in USUAL)) for s in LEAVES]
)
def test_leaf_trains_every_parameter_and_predicts_as_the_plain_segmentor(stem):
    cfg = parse(stem)
    model, losses, predictions, without_gradient = train_and_predict(cfg)
    assert all(value.isfinite() for value in losses.values())
    assert not without_gradient
    assert {tuple(p.pred_sem_seg.shape) for p in predictions} == {(CROP, CROP)}
    if 'contrast_head' not in cfg.model:
        return
    assert losses['loss_contrast'] > 0
    bare = narrow_model(cfg)
    bare.pop('contrast_head')
    bare.type = type(model).__mro__[2]  # what the mixin was put before
    plain = MODELS.build(bare)
    plain.load_state_dict(without_contrast(model.state_dict()))
    plain.eval()
    with torch.no_grad():
        expected = plain.test_step(batch(model.num_classes, 2))
    for ours, theirs in zip(predictions, expected, strict=True):
        assert torch.equal(ours.seg_logits.data, theirs.seg_logits.data)


@pytest.mark.parametrize('network', CHANNELS)
def test_embeddings_are_taken_where_the_paper_takes_them(network):
    cfg = parse(f'{network}_cityscapes_contrast')
    head = cfg.model.contrast_head
    assert CHANNELS[network] == (
        head.in_channels if isinstance(head.in_channels, int) else sum(head.in_channels)
    )
    model = MODELS.build(narrow_model(cfg)).eval()
    with torch.no_grad():
        embeddings = model.contrast_head(model.extract_feat(torch.zeros(1, 3, CROP, CROP)))
    assert embeddings.shape[-1] == CROP // STRIDES[network]


PAIRS = [(s, s.replace('baseline', 'contrast')) for s in LEAVES if s.endswith('baseline')]
PAIRS = [pair for pair in PAIRS if pair[1] in LEAVES]
PAIRS += [
    ('hrnet-w48_cityscapes_baseline_40k', s)
    for s in LEAVES
    if s.endswith('_40k') and s != 'hrnet-w48_cityscapes_baseline_40k'
]
PAIRS += [
    (f'{network}_cityscapes_authors-code_baseline', s)
    for network in ('hrnet-w48', 'deeplabv3-r101')
    for s in LEAVES
    if s.startswith(f'{network}_cityscapes_authors-code') and 'baseline' not in s
]


@pytest.mark.parametrize(('baseline', 'contrast'), PAIRS)
def test_a_baseline_and_its_contrast_differ_in_the_contrast_alone(baseline, contrast):
    ours, plain = parse(contrast).to_dict(), parse(baseline).to_dict()
    meta_keys = ours['train_dataloader']['dataset']['pipeline'][-1].pop('meta_keys', None)
    ours['model'].pop('contrast_head')
    ours['model'].pop('type'), plain['model'].pop('type')
    shared = [key for key in plain if key not in ('paper_cell', 'train_pipeline')]
    for key in shared:
        assert ours[key] == plain[key], key
    assert set(ours) - set(plain) <= {'contrast', 'contrast_meta_keys'}
    memory = parse(contrast).model.contrast_head.get('memory')
    if memory and memory.memory != 'pixel':
        assert 'sample_idx' in meta_keys


def test_every_row_that_the_authors_measured_has_exactly_one_config(repository):
    """Rows that the paper quotes from others are ``published``; seconds are of its machine."""
    numbers = read_paper_numbers(repository / 'configs' / 'paper_numbers.csv')
    rows = [row for row in numbers if row['paper'] == 'PixelContrast' and row['metric'] == 'mIoU']
    rows = [row for row in rows if row['variant'] != 'published']
    cells = {}
    for stem in LEAVES:
        own = parse(stem).get('paper_cell')
        cells |= {(stem, i): cell for i, cell in enumerate(paper_cells(own) if own else [])}
    used = []
    for row in rows:
        found = [
            place
            for place, cell in cells.items()
            if all(cell[key] == row[key] for key in cell if key in row)
        ]
        assert len(found) == 1, f'{row}: {found}'
        used += found
    assert len(rows) == 44
    assert sorted(used) == sorted(cells), 'a paper_cell names no row'


@pytest.mark.parametrize(
    ('stem', 'gigabytes'),
    [
        ('hrnet-w48_cityscapes_contrast', 0.64),
        ('hrnet-w48_cityscapes_region-memory_40k', 0.058),
        ('ocr-hrnet-w48_cityscapes-trainval_contrast', 0.74),
        ('hrnet-w48_pascal-context_contrast', 1.66),
        ('ocr-hrnet-w48_coco-stuff10k_contrast', 1.66),
    ],
)
def test_the_memory_of_a_leaf_takes_as_many_bytes_as_its_header_says(stem, gigabytes):
    cfg = parse(stem)
    settings = copy.deepcopy(cfg.model.contrast_head.memory)
    slots = settings.num_images * (settings.memory != 'pixel')
    slots += settings.pixels_per_class * (settings.memory != 'region')
    size = 2 if settings.get('dtype') == 'bfloat16' else 4
    total = cfg.num_classes * slots * cfg.model.contrast_head.dim * size / 1e9
    assert total == pytest.approx(gigabytes, rel=0.01)
    text = f'{total:.2f} GB' if total >= 1 else f'{1000 * total:.0f} MB'
    assert f'Memory: {text}' in (FOLDER / f'{stem}.py').read_text()
