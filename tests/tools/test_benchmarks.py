"""The benchmarks of losses and of whole steps, at sizes that take no time."""

import importlib
import json
import sys
import warnings

import pytest
import torch
from mmengine.config import Config

from semcl_mm.analysis.measuring import DEVICES

ON = [pytest.param(name, marks=[pytest.mark.gpu] * (name == 'cuda')) for name in DEVICES]
TINY = {'images': 2, 'cells': 9, 'queue': 64, 'pairs': 1, 'pixels': 49, 'cycle-queue': 32}
TINY |= {'channels': 16, 'rounds': 1, 'threads': 1}


@pytest.fixture
def load(repository, monkeypatch):
    """A module of tools/benchmarks by its name."""
    monkeypatch.syspath_prepend(str(repository / 'tools/benchmarks'))
    yield importlib.import_module
    for name, module in list(sys.modules.items()):
        if 'tools/benchmarks' in str(getattr(module, '__file__', '')):
            del sys.modules[name]


@pytest.mark.parametrize('device', ON)
def test_streamed_and_concatenated_losses_agree_on_each_device(load, device):
    benchmark = load('dense_loss')
    words = [f'--{name}={value}' for name, value in TINY.items()]
    rows = benchmark.measure(benchmark.parse_arguments([*words, f'--device={device}']))
    assert len(rows) == 9
    for name, row in rows.items():
        tolerance = 1e-2 if 'bf16' in name else 1e-5
        assert row['value_deviation'] < tolerance, name
        assert row['gradient_deviation'] < tolerance, name
        assert row['milliseconds'] > 0


@pytest.mark.parametrize('device', ON)
@pytest.mark.parametrize(
    'part', ['exact', pytest.param('sampled', marks=pytest.mark.slow), 'batch', 'update']
)
def test_pixel_contrast_is_measured_against_the_loop_on_each_device(
    load, monkeypatch, capsys, part, device
):
    inputs, benchmark = load('pixel_contrast_inputs'), load('pixel_contrast')
    monkeypatch.setattr(inputs, 'HEIGHT', 64)
    monkeypatch.setattr(inputs, 'WIDTH', 128)
    monkeypatch.setattr(inputs, 'DIM', 16)
    monkeypatch.setattr(
        benchmark, 'full_bank', lambda **options: inputs.full_bank(slots=40, **options)
    )
    getattr(benchmark, f'measure_{part}')(benchmark.Setting(1, device))
    rows = [json.loads(line[5:]) for line in capsys.readouterr().err.splitlines() if 'json' in line]
    first = [row for row in rows if 'loop' in row['form']]
    assert len(first) == {'exact': 2, 'sampled': 1, 'batch': 2, 'update': 1}[part]
    assert all(row['speedup'] == 1 for row in first)
    assert ('bfloat16 bank and products' in {row['form'] for row in rows}) == (
        part == 'exact' and device == 'cpu'
    )


@pytest.mark.parametrize(
    ('config', 'unit', 'more'),
    [
        ('semcl/toy', 'pairs', ['--device-photometry']),
        ('pixel_contrast/upernet_r18_toy', 'images', []),
        ('local_global/vit-narrow_toy', 'images', ['--device-photometry']),
        pytest.param('cacl/toy', 'pairs', [], marks=pytest.mark.slow),
        pytest.param('pixcon/toy', 'images', [], marks=pytest.mark.slow),
        pytest.param('depth/upernet-depth_r18-narrow_toy', 'images', [], marks=pytest.mark.slow),
    ],
)
def test_a_config_trains_on_batches_made_for_it(load, repository, capsys, config, unit, more):
    benchmark = load('training_step')
    words = [str(repository / f'configs/{config}.py'), '--batch=2', '--size=32', '--steps=1', *more]
    assert benchmark.main([*words, '--amp=none', '--json']) == 0
    (row,) = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '{' in line]
    assert row['config'] == config
    assert (row['unit'], row['batch'], row['precision']) == (unit, 2, 'float32')
    assert row['per_second'] == pytest.approx(2000 / row['milliseconds'], rel=0.1)
    assert row['peak_mib'] > row['parameters'] * 4 / 2**20
    assert row['loss'] > 0


@pytest.mark.gpu
@pytest.mark.parametrize('config', ['semcl/toy', 'pixcon/toy', 'cacl/toy'])
def test_a_pretraining_step_waits_nowhere_for_the_gpu(load, repository, capsys, config):
    words = [str(repository / f'configs/{config}.py'), '--batch=4', '--steps=2', '--json']
    assert load('training_step').main([*words, '--device=cuda', '--device-photometry']) == 0
    (row,) = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '{' in line]
    assert row['device'] == 'cuda'
    assert row['sync_places'] == {}


def test_a_step_moves_weights_and_target_as_a_run_does(load, repository):
    benchmark = load('training_step')
    path = str(repository / 'configs/semcl/toy.py')
    options = benchmark.parse_arguments([path, '--batch=2', '--size=32', '--amp=none'])
    cfg = benchmark.read_config(path, options)
    model, wrapper = benchmark.build(cfg, 'cpu')
    for group in wrapper.param_groups:
        group['lr'] = 0.1
    before = [target.clone() for target, _ in model.parameter_pairs()]
    benchmark.step_of(cfg, model, wrapper, load('synthetic_batches').make_batches(cfg, 1, False))()
    (momentum,) = [hook.momentum for hook in cfg.custom_hooks if 'momentum' in hook]
    for old, (target, online) in zip(before, model.parameter_pairs(), strict=True):
        assert not torch.equal(online, old)
        torch.testing.assert_close(target, old.lerp(online, 1 - momentum))


def test_a_config_that_fails_does_not_stop_the_others(load, repository, capsys):
    benchmark = load('training_step')
    detector, vit = (
        str(repository / f'configs/{name}.py')
        for name in ('detection/mask-rcnn_r18_toy', 'local_global/vit-narrow_toy')
    )
    words = ['--batch=2', '--size=32', '--steps=1']
    assert benchmark.main([detector, 'no.py', vit, *words]) == 2
    said = capsys.readouterr()
    assert 'no batches can be made of ToyDetDataset' in said.err
    assert 'no.py: FileNotFoundError' in said.err
    assert 'local_global/vit-narrow_toy' in said.out


def test_waits_are_counted_by_the_line_that_waits(load):
    benchmark = load('training_step')
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        for line in (3, 7, 3):
            message = f'{benchmark.WAIT} (Triggered internally at …)'
            warnings.warn_explicit(message, UserWarning, '/a/b/models/head.py', line)
        warnings.warn_explicit('something else', UserWarning, '/a/b/models/head.py', 9)
    assert benchmark.places(caught) == {'b/models/head.py:3': 2, 'b/models/head.py:7': 1}


def test_the_batch_of_a_config_is_that_of_the_paper_unless_asked(load, repository):
    benchmark = load('training_step')
    path = str(repository / 'configs/pixcon/pixcon-sr_r50_coco.py')
    cfg = benchmark.read_config(path, benchmark.parse_arguments([path]))
    assert cfg.train_dataloader.batch_size == Config.fromfile(path).train_dataloader.batch_size
    assert cfg.optim_wrapper.dtype == 'bfloat16'
    plain = benchmark.read_config(path, benchmark.parse_arguments([path, '--amp', 'none']))
    assert 'dtype' not in plain.optim_wrapper


def test_a_device_that_a_run_would_not_take_is_refused(load, monkeypatch):
    benchmark = load('training_step')
    monkeypatch.setattr(benchmark, 'get_device', lambda: 'cpu')
    with pytest.raises(ValueError, match='--device cuda: a run takes cpu here'):
        benchmark.parse_arguments(['configs/semcl/toy.py', '--device', 'cuda'])
    with pytest.raises(ValueError, match='--steps must be at least 1, got 0'):
        benchmark.parse_arguments(['configs/semcl/toy.py', '--steps', '0'])
