"""The page on extending the project is run as it stands: its loss, its method, its config."""

import json
import re
import runpy
import shutil
import sys

import pytest

FILE_BLOCK = re.compile(r'^```python (\S+)\n(.*?)^```$', re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r'^PYTHONPATH=\. python (tools/train\.py) (\S+)$', re.MULTILINE)
FEW = [
    'train_cfg.max_iters=2',
    'train_dataloader.batch_size=4',
    'train_dataloader.num_workers=0',
    'train_dataloader.dataset.size=32',
    'default_hooks.checkpoint.interval=2',
]


@pytest.fixture(scope='module')
def page(repository):
    return (repository / 'docs/extend.md').read_text()


@pytest.fixture
def written(page, repository, toy_world, tmp_path, monkeypatch):
    """A folder with the files of the page, where its commands can run."""
    shutil.copytree(repository / 'configs/_base_', tmp_path / 'configs/_base_')
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


def test_the_pages_method_passes_its_test_and_trains_with_the_pages_command(
    written, page, repository, tmp_path, monkeypatch
):
    test = runpy.run_path(str(tmp_path / 'test_my_method.py'))
    test['test_loss_equals_the_loop_over_pairs']()
    ((tool, config),) = COMMAND.findall(page)
    monkeypatch.setattr(sys, 'argv', [tool, config, '--cfg-options', *FEW])
    runpy.run_path(str(repository / tool), run_name='__main__')
    (path,) = tmp_path.glob('work_dirs/toy/*/record.json')
    record = json.loads(path.read_text())
    assert (record['status'], record['algorithm']) == ('finished', 'AlignedViews')
    assert record['iterations'] == 2
    assert (tmp_path / 'work_dirs/toy/iter_2.pth').is_file()
