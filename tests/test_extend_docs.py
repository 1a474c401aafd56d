"""The page on extending the project is run as it stands: its loss, its method, its config."""

import json
import re
import runpy
import shutil
import sys

import pytest

FILE_BLOCK = re.compile(r'^```python (\S+)\n(.*?)^```$', re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r'^(?:PYTHONPATH=\. )?python (tools/train\.py) (.+)$', re.MULTILINE)
LINEAR = 'configs/segmentation/linear_r18-narrow_toy.py'
FEW = [
    'train_cfg.max_iters=2',
    'train_dataloader.batch_size=4',
    'train_dataloader.num_workers=0',
    'train_dataloader.dataset.size=32',
    'default_hooks.checkpoint.interval=2',
]
FEW_LINEAR = [
    'train_cfg.max_iters=2',
    'train_cfg.val_interval=2',
    'train_dataloader.batch_size=2',
    'train_dataloader.num_workers=0',
    'val_dataloader.num_workers=0',
]


@pytest.fixture(scope='module')
def page(repository):
    return (repository / 'docs/extend.md').read_text()


@pytest.fixture
def written(page, repository, toy_world, tmp_path, monkeypatch):
    """A folder with the files of the page, where its commands can run."""
    shutil.copytree(repository / 'configs/_base_', tmp_path / 'configs/_base_')
    (tmp_path / LINEAR).parent.mkdir()
    shutil.copy(repository / LINEAR, tmp_path / LINEAR)
    (tmp_path / 'data').mkdir()
    (tmp_path / 'data/toy').symlink_to(toy_world)
    blocks: dict[str, list[str]] = {}
    for name, code in FILE_BLOCK.findall(page):
        blocks.setdefault(name, []).append(code)
    for name, parts in blocks.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text('\n\n'.join(parts))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield blocks
    sys.modules.pop('my_method', None)


def test_the_loss_has_15_lines_and_the_method_fits_one_file(written):
    loss, method = written['my_method.py']
    body = loss[loss.index('@MODELS') :]
    assert len([line for line in body.splitlines() if line.strip()]) <= 15
    assert len((loss + method).splitlines()) <= 120
    assert set(written) == {'my_method.py', 'test_my_method.py', 'configs/mine/toy.py'}


@pytest.fixture
def train(repository, tmp_path, monkeypatch):
    """Run a training command of the page in this process; returns the run's record."""

    def run(tool, words, options):
        monkeypatch.setattr(sys, 'argv', [tool, *words, '--cfg-options', *options])
        before = set(tmp_path.glob('work_dirs/*/*/record.json'))
        runpy.run_path(str(repository / tool), run_name='__main__')
        (path,) = set(tmp_path.glob('work_dirs/*/*/record.json')) - before
        return json.loads(path.read_text())

    return run


def test_the_pages_method_passes_its_test_and_trains_with_the_pages_commands(
    written, page, tmp_path, train
):
    test = runpy.run_path(str(tmp_path / 'test_my_method.py'))
    test['test_loss_equals_the_loop_over_pairs']()
    (tool, pretraining), (_, protocol) = COMMAND.findall(page)
    record = train(tool, pretraining.split(), FEW)
    assert (record['status'], record['algorithm']) == ('finished', 'AlignedViews')
    assert record['iterations'] == 2
    config, option, checkpoint = protocol.split()
    assert (config, option) == (LINEAR, '--pretrained')
    assert 'max_iters=240' in written['configs/mine/toy.py'][0]
    short = checkpoint.replace('iter_240', 'iter_2')
    assert (tmp_path / short).is_file()
    record = train(tool, [config, option, short], FEW_LINEAR)
    assert (record['status'], record['algorithm']) == ('finished', 'FrozenEncoderDecoder')


def test_each_method_here_is_a_file_of_little_more_than_120_lines(repository):
    """Most of it a docstring: what methods share lies in bases, losses and modules."""
    names = ('cacl', 'densecl', 'local_to_global', 'moco', 'pixcon', 'semcl')
    paths = [repository / f'semcl_mm/models/{name}.py' for name in names]
    long = {p.name: len(p.read_text().splitlines()) for p in paths}
    assert max(long.values()) <= 140, long
