"""CACL's configs: each is a row of the paper's Table 1, and its header quotes that row's number."""

import functools
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from torch import nn

from semcl_mm.analysis.paper_cells import read_paper_numbers
from semcl_mm.engine import GroupedOptimWrapperConstructor, Lars
from semcl_mm.registry import MODELS

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'
# variant of the paper: end of the config's name
TABLES = {
    '1a': {
        'pix': '_pixel',
        'glo': '_global',
        'glo+cyc': '_global-cycle',
        'pix+glo': '_global-pixel',
        'pix+glo+cyc': '',
    },
    '1b': {
        'only-augmentation@stride0': '_augmentation',
        'cross-frames@stride2': '_position-s2',
        'cross-frames@stride4': '_position-s4',
        'cross-frames@stride8': '_position-s8',
        'by-global-head@stride4': '_global-pixel-s4',
        'by-global-head@stride8': '_global-pixel',
        '+cycle@stride4': '_s4',
        '+cycle@stride8': '',
    },
    '1c': {'simple': '_simple', '+pixel-shuffle': '_hard-cycle', '+soft-cycle': ''},
}


@functools.cache
def parse(name):
    return Config.fromfile(CONFIGS / f'{name}.py')


def test_each_row_of_table_1_is_quoted_by_the_config_that_has_its_settings():
    rows = [
        row
        for row in read_paper_numbers(CONFIGS / 'paper_numbers.csv')
        if row['paper'] == 'CACL' and row['table'] in TABLES
    ]
    assert len(rows) == 22
    for row in rows:
        variant = row['variant']
        name = f'cacl/{row["model"].lower()}_k400{TABLES[row["table"]][variant]}'
        header = (CONFIGS / f'{name}.py').read_text().split('"""')[1]
        assert f'{row["value"]} mIoU' in header, (name, row)
        cfg = parse(name)
        model, frames = cfg.model, cfg.train_dataloader.dataset.frames
        assert model.backbone.depth == int(row['model'][1:])
        if row['table'] == '1a':
            short = {'pixel': 'pix', 'global': 'glo', 'cycle': 'cyc'}
            assert {short[head] for head in model.heads} == set(variant.split('+'))
        if row['table'] == '1b':
            assert frames.stride == int(variant[-1])
            by_position = variant.startswith(('only', 'cross'))
            assert model.match == ('position' if by_position else 'global')
            assert ('cycle' in model.heads) == variant.startswith('+cycle')
        else:
            assert frames.stride == 8
        if row['table'] == '1c':
            assert model.pixel_shuffle is (variant != 'simple')
            assert model.cycle_target == ('cross' if variant == '+soft-cycle' else 'identity')


def test_pretraining_follows_the_papers_setup():
    cfg = parse('cacl/r18_k400')
    assert 16 * cfg.train_dataloader.batch_size == cfg.auto_scale_lr.base_batch_size == 512
    assert (cfg.model.temperature, cfg.model.queue_size) == (0.07, 16384)
    optimizer = cfg.optim_wrapper.optimizer
    assert optimizer.type is Lars
    stated = (optimizer.lr, optimizer.momentum, optimizer.weight_decay, optimizer.trust_coeff)
    assert stated == (1.0, 0.9, 1e-6, 0.001)
    assert cfg.train_cfg.max_iters == 200 * 469
    assert cfg.sync_bn is None
    assert cfg.model.shuffle_bn is True


@pytest.mark.parametrize('depth', [18, 50])
def test_the_backbone_of_stride_8_has_the_keys_of_the_plain_one_and_that_of_the_linear_leaf(depth):
    backbone = dict(parse(f'cacl/r{depth}_k400').model.backbone)
    frozen = dict(parse(f'segmentation/linear_r{depth}_cityscapes').model.backbone)
    assert {**frozen, 'out_indices': (3,)} == backbone
    dilated = MODELS.build(backbone)
    plain = MODELS.build({**backbone, 'strides': (1, 2, 2, 2), 'dilations': (1,) * 4})
    assert dilated(torch.zeros(2, 3, 32, 48))[-1].shape[2:] == (4, 6)
    shapes = {key: value.shape for key, value in dilated.state_dict().items()}
    assert shapes == {key: value.shape for key, value in plain.state_dict().items()}


def test_lars_adapts_weights_and_leaves_norms_and_biases_to_sgd():
    """A weight moves by lr * trust * |w| / (|g| + wd |w|) * (g + wd w), the others by lr * g."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    wrapper = GroupedOptimWrapperConstructor(
        dict(optimizer=dict(type=Lars, lr=0.5, momentum=0.9, weight_decay=0.1, trust_coeff=0.01)),
        dict(norm_decay_mult=0.0, bias_decay_mult=0.0),
    )(model)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    for parameter in model.parameters():
        parameter.grad = torch.randn_like(parameter)
    wrapper.optimizer.step()
    for name, parameter in model.named_parameters():
        old, step = before[name], parameter.grad
        if name == '0.weight':
            decay = 0.1 * old
            step = 0.01 * old.norm() / (step.norm() + 0.1 * old.norm()) * (step + decay)
        torch.testing.assert_close(parameter.detach(), old - 0.5 * step, msg=name)
    assert len(wrapper.optimizer.param_groups) == 2
