"""Depth configs name the papers' cells; narrow twins of their models train and predict."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from narrow_configs import narrow_model

from semcl_mm.analysis.tables import read_paper_numbers

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'
LEAVES = sorted((CONFIGS / 'depth').glob('*.py'))
CELLS = [p for p in LEAVES if 'paper_cell' in p.read_text()]
# the data set changes a model's depth range only
MODELS_OF = {path.stem.rsplit('_', 1)[0]: path for path in LEAVES}
SWIN = {'tiny': (96, (3, 6, 12, 24)), 'large': (192, (6, 12, 24, 48))}
DEIT = {'deit-tiny': (192, 3), 'deit-small': (384, 6), 'deit-base': (768, 12)}


def test_every_own_depth_number_of_the_papers_has_a_config():
    """SemCL's rows, and those of the local-to-global table that are its own."""
    named = set()
    for path in CELLS:
        cell = Config.fromfile(path).paper_cell
        for metric in cell.metric:
            named.add((cell.paper, cell.dataset, cell.variant or cell.backbone, metric))
    own = set()
    for row in read_paper_numbers(CONFIGS / 'paper_numbers.csv'):
        if row['task'] == 'depth' and row['model'] in ('', 'Ours'):
            place = row['backbone'] if row['paper'] == 'SemCL' else row['variant']
            own.add((row['paper'], row['dataset'], place, row['metric']))
    assert named == own
    assert len(named) == 36


@pytest.mark.parametrize('path', CELLS, ids=lambda p: p.stem)
def test_the_header_quotes_the_numbers_of_its_cell(path):
    cell, header = Config.fromfile(path).paper_cell, path.read_text().split('"""')[1]
    for row in read_paper_numbers(CONFIGS / 'paper_numbers.csv'):
        same = all(row[key] == cell[key] for key in ('paper', 'table', 'dataset', 'backbone'))
        if same and row['variant'] == (cell.variant or 'SemCL') and row['metric'] in cell.metric:
            printed = f'{row["value"]:.3f}'
            assert f'{row["metric"]} {printed}' in header or (
                f'{row["metric"]} {printed.removeprefix("0")}' in header
            )


@pytest.mark.parametrize('path', LEAVES, ids=lambda p: p.stem)
def test_head_metric_and_padding_agree_on_what_depth_is(path):
    cfg = Config.fromfile(path)
    assert cfg.model.decode_head.max_depth == cfg.val_evaluator.max_depth == cfg.max_depth
    assert cfg.model.data_preprocessor.seg_pad_val == 0
    assert cfg.test_dataloader == cfg.val_dataloader
    crop = next(t for t in cfg.train_dataloader.dataset.pipeline if 'crop_size' in t)
    assert tuple(cfg.model.data_preprocessor['size']) == tuple(crop.crop_size)


def narrow(cfg):
    """An eighth of the width of every part, the shape of the network kept."""
    backbone = cfg.model.backbone
    arch = backbone.get('arch')
    if isinstance(arch, str) and arch in SWIN:
        width, heads = SWIN[arch]
        backbone.arch = dict(embed_dims=width, depths=[1, 1, 1, 1], num_heads=list(heads))
    elif isinstance(arch, str):
        width, heads = DEIT[arch]
        backbone.arch = dict(
            embed_dims=width, num_layers=12, num_heads=heads, feedforward_channels=32
        )
    if 'neck' in cfg.model:
        cfg.model.neck.embed_dim //= 8
    return MODELS.build(narrow_model(cfg))


def batch(max_depth, seed):
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(256, (2, 3, 64, 64), generator=generator, dtype=torch.uint8)
    depth = 0.1 + 0.8 * max_depth * torch.rand(2, 1, 64, 64, generator=generator)
    depth[torch.rand(depth.shape, generator=generator) < 0.3] = 0
    shape = (64, 64)
    samples = [
        SegDataSample(
            gt_depth_map=PixelData(data=truth),
            metainfo=dict(img_shape=shape, ori_shape=(50, 70), pad_shape=shape, img_path='a.png'),
        )
        for truth in depth
    ]
    return dict(inputs=list(images), data_samples=samples)


@pytest.mark.parametrize('path', MODELS_OF.values(), ids=MODELS_OF)
def test_a_narrow_twin_of_each_model_trains_all_of_its_parameters_and_predicts(path):
    torch.manual_seed(0)
    cfg = Config.fromfile(path)
    model = narrow(cfg)
    without = {name for name, _ in model.named_parameters()}
    for name, parameter in model.named_parameters():
        parameter.register_post_accumulate_grad_hook(lambda _, name=name: without.discard(name))
    optimiser = build_optim_wrapper(model, cfg.optim_wrapper)
    losses = model.train_step(batch(cfg.max_depth, 0), optimiser)
    assert all(value.isfinite() for value in losses.values())
    assert not without, 'no gradient reaches these: a distributed run would stop'
    model.eval()
    with torch.no_grad():
        results = model.test_step(batch(cfg.max_depth, 1))
    for result in results:
        depth = result.pred_depth_map.data
        assert depth.shape == (1, 50, 70)
        assert 0 < depth.min() < depth.max() < cfg.max_depth
