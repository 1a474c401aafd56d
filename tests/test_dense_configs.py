"""Configs of local-to-global pretraining and of the light protocols: they name cells and add up."""

from pathlib import Path

import pytest
from mmengine.config import Config

from semcl_mm.analysis.tables import read_paper_numbers
from semcl_mm.downstream import FrozenEncoderDecoder

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'
SEGMENTATION = CONFIGS / 'segmentation'
VITS = [f'{head}_vit-{size}_ade20k' for head in ('linear', 'upernet') for size in ('ti', 's', 'b')]
LINEAR = ['linear_r18_cityscapes', 'linear_r50_cityscapes', 'linear_r50_voc12aug']


@pytest.mark.parametrize('stem', VITS + LINEAR)
def test_the_cell_of_a_config_is_one_number_of_the_paper_and_the_header_quotes_it(stem):
    cfg = Config.fromfile(SEGMENTATION / f'{stem}.py')
    keys = ('paper', 'table', 'dataset', 'model', 'backbone', 'metric', 'variant')
    numbers = read_paper_numbers(CONFIGS / 'paper_numbers.csv')
    (row,) = [row for row in numbers if all(row[key] == cfg.paper_cell[key] for key in keys)]
    header = (SEGMENTATION / f'{stem}.py').read_text().split('"""')[1]
    assert f'{row["value"]} mIoU' in header


@pytest.mark.parametrize(
    ('size', 'channels', 'heads'), [('ti', 192, 3), ('s', 384, 6), ('b', 768, 12)]
)
def test_vits_have_the_sizes_of_deit(size, channels, heads):
    """mmpretrain's 'small' is another network: 8 blocks of 768 channels."""
    from mmpretrain.models import VisionTransformer

    for stem in (f'linear_vit-{size}_ade20k', f'upernet_vit-{size}_ade20k'):
        backbone = Config.fromfile(SEGMENTATION / f'{stem}.py').model.backbone
        arch = VisionTransformer.arch_zoo[backbone.arch]
        assert (arch['embed_dims'], arch['num_layers'], arch['num_heads']) == (channels, 12, heads)


SMALL = ['linear_r18-narrow', 'linear_r18-narrow-d8', 'frozen_vit-narrow']


@pytest.mark.parametrize('stem', [*LINEAR, *(f'{n}_{d}' for n in SMALL for d in ('camvid', 'toy'))])
def test_the_linear_protocol_freezes_the_backbone_as_it_was_pretrained(stem):
    """``contract_dilation`` would change the dilation of each stage's first block."""
    cfg = Config.fromfile(SEGMENTATION / f'{stem}.py')
    assert cfg.model.type is FrozenEncoderDecoder
    assert cfg.model.backbone.get('contract_dilation', False) is False
    if stem in LINEAR or 'd8' in stem:
        assert cfg.model.backbone.strides == (1, 2, 1, 1)
        assert cfg.model.backbone.dilations == (1, 1, 2, 4)
    if stem in LINEAR:
        images = 10582 if stem.endswith('voc12aug') else 2975
        batch = 4 * cfg.train_dataloader.batch_size
        assert cfg.train_cfg.max_iters == pytest.approx(300 * images / batch, rel=1e-3)
        assert cfg.optim_wrapper.optimizer.lr == 0.6
        assert cfg.auto_scale_lr.base_batch_size == batch


@pytest.mark.parametrize('size', ['ti', 's', 'b'])
def test_pretraining_follows_the_papers_recipe(size):
    """16 GPUs x 128 images, lr 1e-4 per 256 of them, 5 % warm-up; 300 epochs are our reading."""
    cfg = Config.fromfile(CONFIGS / f'local_global/vit-{size}_imagenet.py')
    batch = 16 * cfg.train_dataloader.batch_size
    assert cfg.auto_scale_lr.base_batch_size == batch == 2048
    assert cfg.optim_wrapper.optimizer.lr == pytest.approx(1e-4 * batch / 256)
    assert cfg.train_cfg.max_iters == 300 * (1281167 // batch)
    warm_up, cosine = cfg.param_scheduler
    assert warm_up.end == cosine.begin == 0.05 * cfg.train_cfg.max_iters
    assert cfg.model.loss.temperature == 0.1
    assert cfg.model.gather is False
    first, second = cfg.train_dataloader.dataset.views
    assert first == second
    assert first.get('scale', (0.08, 1.0)) == (0.08, 1.0)
    strengths = [first[key] for key in ('brightness', 'contrast', 'saturation', 'hue')]
    assert strengths == [0.8, 0.8, 0.8, 0.2]
    assert [first[key] for key in ('jitter', 'gray', 'blur')] == [0.8, 0.2, 0.5]
