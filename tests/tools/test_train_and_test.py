"""The path that everyone walks: pretrain, fine-tune from it, test, tabulate; and what stops it."""

import hashlib
import json
import re
import runpy
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from semcl_mm.datasets.pair_index import PairIndex

REPOSITORY = Path(__file__).resolve().parents[2]
TINY_PRETRAIN = [
    'train_cfg.max_iters=2',
    'train_dataloader.batch_size=4',
    'train_dataloader.num_workers=0',
    'train_dataloader.dataset.size=32',
    'model.projector.hidden_channels=16',
    'model.predictor.hidden_channels=16',
    'default_hooks.checkpoint.interval=2',
    'default_hooks.logger.interval=1',
]
TINY_SEGMENT = [
    'train_cfg.max_iters=2',
    'train_cfg.val_interval=2',
    'train_dataloader.batch_size=2',
    'train_dataloader.num_workers=0',
    'val_dataloader.num_workers=0',
    'test_dataloader.num_workers=0',
    'param_scheduler.0.end=1',
    'param_scheduler.1.begin=1',
    'default_hooks.checkpoint.interval=2',
]


def run(tool, *arguments):
    """A tool as if called from the command line; returns nothing, raises SystemExit on errors."""
    before = sys.argv
    sys.argv = [tool, *(str(argument) for argument in arguments)]
    try:
        runpy.run_path(str(REPOSITORY / 'tools' / tool), run_name='__main__')
    finally:
        sys.argv = before


def pretrain(world, index, work_dir, *options, seed=0, more=()):
    root = f'train_dataloader.dataset.data_root={world}'
    place = f'train_dataloader.dataset.index={index}'
    config = REPOSITORY / 'configs/semcl/toy.py'
    common = ('--work-dir', work_dir, '--seed', seed, *more)
    run('train.py', config, *common, '--cfg-options', root, place, *TINY_PRETRAIN, *options)


def segment(world, work_dir, *options, more=()):
    roots = [f'{part}_dataloader.dataset.data_root={world}' for part in ('train', 'val', 'test')]
    config = REPOSITORY / 'configs/segmentation/upernet_r18_toy.py'
    common = ('--work-dir', work_dir, '--seed', 0, *more)
    run('train.py', config, *common, '--cfg-options', *roots, *TINY_SEGMENT, *options)


def record(work_dir):
    (path,) = Path(work_dir).glob('*/record.json')
    return json.loads(path.read_text())


def refusal(capsys, call):
    """The one line that a refused call prints."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        call()
    assert stop.value.code == 1
    error = capsys.readouterr().err
    lines = [line for line in error.splitlines() if line.startswith('error: ')]
    assert len(lines) == 1
    assert 'most recent call last' not in error[error.index('error: ') :]
    return lines[0]


def wait_until(condition, seconds=300):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


def children(process):
    text = Path(f'/proc/{process}/task/{process}/children').read_text()
    return [int(word) for word in text.split()]


@pytest.fixture(scope='module')
def index(toy_world, tmp_path_factory):
    out = tmp_path_factory.mktemp('index') / 'toy.pairs'
    run('dataset_converters/build_pair_index.py', 'voc', toy_world, '--out', out, '--workers', 1)
    return out


@pytest.fixture(scope='module')
def pretrained(toy_world, index, tmp_path_factory):
    work_dir = tmp_path_factory.mktemp('pretrain') / 'run'
    pretrain(toy_world, index, work_dir, more=('--log-to', 'tensorboard'))
    return work_dir


@pytest.fixture(scope='module')
def fine_tuned(toy_world, pretrained, tmp_path_factory):
    work_dir = tmp_path_factory.mktemp('segment') / 'run'
    segment(toy_world, work_dir, more=('--pretrained', pretrained / 'iter_2.pth'))
    return work_dir


def test_a_pretraining_leaves_a_record_of_what_it_was(pretrained):
    found = record(pretrained)
    assert found['status'] == 'finished'
    assert (found['algorithm'], found['initialised_from']) == ('SemCL', 'random')
    assert (found['seed'], found['world_size'], found['batch_size']) == (0, 1, 4)
    assert found['iterations'] == 2
    assert found['as_published'] is False  # two iterations are not the recipe
    assert found['wall_seconds'] > 0
    assert found['peak_memory']['resident_mib'] > 1
    assert found['versions']['torch'] == torch.__version__.split('+')[0]


def test_the_record_of_a_pretraining_holds_its_data_and_what_it_logged_last(pretrained, index):
    found = record(pretrained)
    pairs = len(PairIndex.open(index, index.parent, verify=False))
    assert found['samples'] == {'train': pairs}
    (file,) = found['pair_indices']
    digest = hashlib.sha256(index.read_bytes()).hexdigest()
    assert file == {'path': str(index), 'pairs': pairs, 'sha256': digest[:8]}
    (log,) = pretrained.glob('*/vis_data/scalars.json')
    last = json.loads(log.read_text().splitlines()[-1])
    logged = {name.removeprefix('train/'): v for name, v in found['metrics_final'].items()}
    assert logged['loss'] > 0
    assert logged == pytest.approx({name: last[name] for name in logged})
    assert not logged.keys() & {'lr', 'time', 'data_time'}


def test_one_option_sends_the_curves_to_tensorboard_too(pretrained):
    assert list(pretrained.glob('*/vis_data/events.out.tfevents.*'))
    assert list(pretrained.glob('*/vis_data/scalars.json'))


def test_the_record_of_a_fine_tuning_names_what_pretrained_it(pretrained, fine_tuned):
    source = record(fine_tuned)['initialised_from']
    assert source['checkpoint'] == str(pretrained / 'iter_2.pth')
    assert (source['run']['algorithm'], source['run']['iterations']) == ('SemCL', 2)
    assert source['run']['run_id'] == record(pretrained)['run_id']


def test_fine_tuning_starts_from_the_pretrained_backbone(toy_world, pretrained, tmp_path):
    """With a learning rate of zero the backbone's weights stay those of the pretraining."""
    options = ('optim_wrapper.optimizer.lr=0.0', 'optim_wrapper.optimizer.weight_decay=0.0')
    more = ('--pretrained', pretrained / 'iter_2.pth', '--no-validate')
    segment(toy_world, tmp_path / 'run', *options, more=more)
    states = [
        torch.load(path / 'iter_2.pth', weights_only=True)['state_dict']
        for path in (pretrained, tmp_path / 'run')
    ]
    weights = [k for k in states[0] if k.startswith('backbone.') and k.endswith('.weight')]
    assert len(weights) > 30
    assert all(torch.equal(states[0][key], states[1][key]) for key in weights)


def test_testing_repeats_the_validation_of_the_training(toy_world, fine_tuned, tmp_path):
    roots = [f'test_dataloader.dataset.data_root={toy_world}', 'test_dataloader.num_workers=0']
    out, shown = tmp_path / 'metrics.json', tmp_path / 'shown'
    run(
        'test.py',
        REPOSITORY / 'configs/segmentation/upernet_r18_toy.py',
        fine_tuned / 'iter_2.pth',
        *('--work-dir', tmp_path / 'test', '--out', out, '--show-dir', shown),
        *('--cfg-options', *roots),
    )
    metrics = json.loads(out.read_text())
    assert metrics['mIoU'] == record(fine_tuned)['metrics_final']['mIoU']
    assert len(list(shown.rglob('*.png'))) == 6  # the validation images of the fixture
    tested, trained = record(tmp_path / 'test'), record(fine_tuned)
    assert (tested['protocol'], tested['status']) == (None, 'finished')
    assert tested['tested_run'] == trained['run_id'] != tested['run_id']
    assert tested['config_hash'] == trained['config_hash']
    assert tested['metrics_final'] == metrics
    assert tested['samples'] == trained['samples'] == {'train': 18, 'val': 6}
    assert tested['deviations'] == trained['deviations']


def test_the_table_shows_the_method_that_pretrained(fine_tuned, tmp_path, capsys):
    run('analyze/__main__.py', 'collect', fine_tuned, '--out', tmp_path / 'r.jsonl')
    capsys.readouterr()
    run('analyze/__main__.py', 'table', '--records', tmp_path / 'r.jsonl')
    row = capsys.readouterr().out.splitlines()[-1]
    value = record(fine_tuned)['metrics_final']['mIoU']
    cells = [cell.strip() for cell in row.strip('|').split('|')]
    assert cells[:3] == ['upernet_r18_toy', 'SemCL (toy)', 'mIoU']
    assert float(cells[4]) == pytest.approx(value, abs=0.01)


def test_the_hash_of_a_config_ignores_seed_and_place_but_no_setting(
    toy_world, index, pretrained, tmp_path
):
    pretrain(toy_world, index, tmp_path / 'seed', seed=1)
    pretrain(toy_world, index, tmp_path / 'lr', 'optim_wrapper.optimizer.lr=2e-3')
    reference = record(pretrained)['config_hash']
    assert record(tmp_path / 'seed')['config_hash'] == reference
    assert record(tmp_path / 'lr')['config_hash'] != reference


def test_a_resumed_run_goes_on_with_its_record(toy_world, index, tmp_path):
    work_dir = tmp_path / 'run'
    pretrain(toy_world, index, work_dir)
    first = record(work_dir)
    pretrain(toy_world, index, work_dir, 'train_cfg.max_iters=4', more=('--resume',))
    paths = sorted(work_dir.glob('*/record.json'), key=lambda p: p.stat().st_mtime)
    second = json.loads(paths[-1].read_text())
    assert second['run_id'] == first['run_id']
    assert second['iterations'] == 4
    assert second['wall_seconds'] > first['wall_seconds']
    assert second['resumed_from'].endswith('iter_2.pth')


@pytest.mark.slow
def test_a_run_that_is_told_to_terminate_leaves_a_record_that_says_stopped(
    toy_world, index, tmp_path
):
    place = [
        f'train_dataloader.dataset.{k}={v}' for k, v in (('data_root', toy_world), ('index', index))
    ]
    options = [*TINY_PRETRAIN, 'train_cfg.max_iters=100000', 'train_dataloader.num_workers=1']
    command = [sys.executable, REPOSITORY / 'tools/train.py', REPOSITORY / 'configs/semcl/toy.py']
    command += ['--work-dir', tmp_path / 'run', '--cfg-options', *place, *options]
    process = subprocess.Popen([*map(str, command)], stdout=subprocess.DEVNULL)
    try:
        saved = tmp_path / 'run' / 'last_checkpoint'
        wait_until(lambda: saved.is_file() or process.poll() is not None)
        workers = children(process.pid)
        process.terminate()
        assert process.wait(timeout=60) == 128 + signal.SIGTERM
    finally:
        process.kill()
    assert workers
    assert not any(Path(f'/proc/{worker}').exists() for worker in workers)
    found = record(tmp_path / 'run')
    assert found['status'] == 'stopped'
    assert 2 <= found['iterations'] < 100000


@pytest.mark.parametrize(
    ('options', 'named'),
    [
        (('train_cfg.max_iter=3',), 'max_iters'),
        (('modle.symmetric=False',), 'model'),
        (
            ('train_dataloader.dataset.index=/no.pairs',),
            'train_dataloader.dataset.index: /no.pairs',
        ),
        (('train_dataloader.dataset.min_anchor_fraction=2',), 'min_anchor_fraction'),
    ],
)
def test_a_bad_option_is_named_and_leaves_no_checkpoint(
    toy_world, index, tmp_path, capsys, options, named
):
    work_dir = tmp_path / 'run'
    message = refusal(capsys, lambda: pretrain(toy_world, index, work_dir, *options))
    assert named in message
    assert not list(work_dir.rglob('*.pth*'))


def test_a_logger_that_is_not_installed_is_named(monkeypatch, capsys):
    monkeypatch.setattr('semcl_mm.engine.command_line.find_spec', lambda name: None)
    config = REPOSITORY / 'configs/semcl/toy.py'
    assert 'semcl_mm[wandb]' in refusal(
        capsys, lambda: run('train.py', config, '--log-to', 'wandb')
    )


def test_a_missing_config_is_named(capsys):
    assert 'nowhere.py' in refusal(capsys, lambda: run('train.py', 'nowhere.py'))


@pytest.mark.parametrize(
    ('content', 'named'),
    [
        ('model = dict(\n', r'bad\.py .* in line 1: model = dict'),
        ('from nowhere_at_all import model\n', "bad.py: .*'nowhere_at_all'"),
        (
            'from mmengine.config import read_base\n'
            'with read_base():\n    from .no_such_base import *\n',
            'bad.py: .*no_such_base',
        ),
    ],
)
def test_a_config_that_cannot_be_read_is_named(tmp_path, capsys, content, named):
    (tmp_path / 'bad.py').write_text(content)
    assert re.search(named, refusal(capsys, lambda: run('train.py', tmp_path / 'bad.py')))


def test_a_missing_data_set_of_a_downstream_task_is_named(tmp_path, capsys):
    message = refusal(capsys, lambda: segment(tmp_path / 'nowhere', tmp_path / 'run'))
    assert 'train_dataloader.dataset.data_root: ' in message
    assert 'nowhere' in message


def test_a_photo_that_a_worker_cannot_read_is_one_line(toy_world, index, tmp_path, capsys):
    other = tmp_path / 'other'
    shutil.copytree(toy_world, other)
    for photo in (other / 'JPEGImages').iterdir():
        content = photo.read_bytes()
        photo.write_bytes(content[: len(content) // 2].ljust(len(content), b'\0'))
    options = ('train_dataloader.num_workers=1',)
    message = refusal(capsys, lambda: pretrain(other, index, tmp_path / 'run', *options))
    assert re.match(r'error: .*\.jpg: truncated', message)


def test_a_work_dir_that_cannot_be_written_stops_before_anything_starts(
    toy_world, index, tmp_path, capsys
):
    (tmp_path / 'file').write_text('')
    place = tmp_path / 'file' / 'run'
    assert str(place) in refusal(capsys, lambda: pretrain(toy_world, index, place))


def test_an_index_of_other_data_names_the_file(toy_world, index, tmp_path, capsys):
    other = tmp_path / 'other'
    shutil.copytree(toy_world, other)
    victim = other / 'SegmentationClass' / 'scene_00000.png'
    victim = victim if victim.exists() else min((other / 'SegmentationClass').iterdir())
    Image.new('L', (96, 72)).save(victim)
    assert victim.name in refusal(capsys, lambda: pretrain(other, index, tmp_path / 'run'))


def test_a_checkpoint_of_another_architecture_lists_what_is_missing(
    toy_world, pretrained, tmp_path, capsys
):
    more = ('--pretrained', pretrained / 'iter_2.pth')
    wide = ('model.backbone.depth=34',)
    message = refusal(capsys, lambda: segment(toy_world, tmp_path / 'run', *wide, more=more))
    assert 'iter_2.pth' in message
    assert not list((tmp_path / 'run').rglob('*.pth*'))


def test_a_truncated_checkpoint_is_named(toy_world, pretrained, tmp_path, capsys):
    content = (pretrained / 'iter_2.pth').read_bytes()
    (tmp_path / 'cut.pth').write_bytes(content[: len(content) // 2])
    more = ('--pretrained', tmp_path / 'cut.pth')
    assert 'cut.pth' in refusal(capsys, lambda: segment(toy_world, tmp_path / 'run', more=more))


@pytest.mark.parametrize('damage', ['value', 'size', 'cut label', 'cut image'])
def test_a_damaged_segmentation_sample_is_named(toy_world, tmp_path, capsys, damage):
    other = tmp_path / 'other'
    shutil.copytree(toy_world, other)
    name = (other / 'ImageSets/Segmentation/train.txt').read_text().split()[0]
    (other / 'ImageSets/Segmentation/train.txt').write_text(f'{name}\n')
    label = other / 'SegmentationClass' / f'{name}.png'
    image = other / 'JPEGImages' / f'{name}.jpg'
    if damage == 'value':
        Image.fromarray(np.full((72, 96), 77, np.uint8)).save(label)
    elif damage == 'size':
        Image.fromarray(np.zeros((50, 96), np.uint8)).save(label)
    else:
        victim = label if damage == 'cut label' else image
        victim.write_bytes(victim.read_bytes()[: victim.stat().st_size // 2])
    message = refusal(capsys, lambda: segment(other, tmp_path / 'run'))
    assert name in message
    if damage == 'value':
        assert '77' in message
