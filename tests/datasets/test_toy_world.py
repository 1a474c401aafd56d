"""The toy world as a whole: a function of its parameters, and all or nothing."""

import importlib.util
import json

import cv2
import numpy as np
import pytest

from semcl_mm.datasets.toy import ToyParameters, make_toy_world, world

TINY = {'scenes': 6, 'clips': 1, 'frames': 2, 'size': (64, 48)}


def contents(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob('*') if p.is_file()}


@pytest.fixture(scope='module')
def tiny_world(tmp_path_factory):
    folder = tmp_path_factory.mktemp('tiny') / 'toy'
    meta = make_toy_world(folder, **TINY, workers=0)
    return folder, meta


@pytest.fixture
def command(repository):
    path = repository / 'tools/dataset_converters/make_toy.py'
    spec = importlib.util.spec_from_file_location('make_toy', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main


def test_two_workers_write_the_bytes_of_one(tiny_world, tmp_path):
    make_toy_world(tmp_path / 'toy', **TINY, workers=2)
    assert contents(tmp_path / 'toy') == contents(tiny_world[0])


def test_another_seed_changes_every_image(tiny_world, tmp_path):
    make_toy_world(tmp_path / 'toy', **TINY, seed=1, workers=0)
    ours, theirs = contents(tmp_path / 'toy'), contents(tiny_world[0])
    assert ours.keys() == theirs.keys()
    images = [name for name in ours if name.suffix in ('.jpg', '.png')]
    assert not any(ours[name] == theirs[name] for name in images)


def test_more_scenes_leave_the_first_ones_as_they_are(tiny_world, tmp_path):
    make_toy_world(tmp_path / 'toy', **{**TINY, 'scenes': 7}, workers=0)
    ours, theirs = contents(tmp_path / 'toy'), contents(tiny_world[0])
    assert all(ours[n] == theirs[n] for n in theirs if n.suffix in ('.jpg', '.png'))


def test_global_state_is_left_alone(tmp_path):
    np.random.seed(3)  # noqa: NPY002
    before, threads = np.random.get_state()[1].copy(), cv2.getNumThreads()  # noqa: NPY002
    make_toy_world(tmp_path / 'toy', **TINY, workers=0)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    assert cv2.getNumThreads() == threads


def test_the_splits_partition_the_scenes(toy_world):
    lists = toy_world / 'ImageSets/Segmentation'
    train, val, both = (
        (lists / f'{s}.txt').read_text().split() for s in ('train', 'val', 'trainval')
    )
    assert (len(train), len(val)) == (18, 6)
    assert train + val == both == sorted(p.stem for p in (toy_world / 'JPEGImages').iterdir())
    for split, titles in (('train', train), ('val', val)):
        lines = (toy_world / 'ImageSets/Depth' / f'{split}.txt').read_text().splitlines()
        assert [line.split()[1] for line in lines] == [f'depth/{t}.png' for t in titles]


def test_the_description_counts_what_is_there(tiny_world):
    folder, meta = tiny_world
    files = [p for p in folder.rglob('*') if p.is_file() and p.name != 'toy.json']
    assert meta['files'] == len(files)
    assert meta['bytes'] == sum(p.stat().st_size for p in files)
    assert sum(meta['statistics']['pixel_share'].values()) == pytest.approx(1, abs=1e-4)
    assert json.loads((folder / 'toy.json').read_text())['sha256'] == meta['sha256']


def test_a_complete_world_is_reused_untouched(tiny_world):
    folder, meta = tiny_world
    stamp = folder.stat().st_mtime_ns
    again = make_toy_world(folder, **TINY)
    assert again == {**meta, 'reused': True}
    assert folder.stat().st_mtime_ns == stamp


def test_other_parameters_are_named_and_replace_only_by_force(tmp_path):
    folder = tmp_path / 'toy'
    make_toy_world(folder, **TINY, workers=0)
    with pytest.raises(FileExistsError, match='seed 0 there, 5 wanted'):
        make_toy_world(folder, **TINY, seed=5)
    meta = make_toy_world(folder, **TINY, seed=5, workers=0, force=True)
    assert not meta['reused']
    assert json.loads((folder / 'toy.json').read_text())['parameters']['seed'] == 5
    assert list(tmp_path.iterdir()) == [folder]


def test_a_world_that_lost_a_file_is_not_reused(tmp_path):
    folder = tmp_path / 'toy'
    make_toy_world(folder, **TINY, workers=0)
    (folder / 'depth/toy_00003.png').unlink()
    with pytest.raises(FileExistsError, match='1 files are gone'):
        make_toy_world(folder, **TINY)


@pytest.mark.parametrize('force', [False, True])
def test_a_folder_of_something_else_is_never_replaced(tmp_path, force):
    (tmp_path / 'thesis.tex').write_text('ten years of work')
    with pytest.raises(FileExistsError, match='no toy world'):
        make_toy_world(tmp_path, **TINY, force=force)
    assert (tmp_path / 'thesis.tex').exists()


def test_a_failure_half_way_leaves_the_old_world_and_no_rubbish(tmp_path, monkeypatch):
    folder = tmp_path / 'toy'
    make_toy_world(folder, **TINY, workers=0)
    before = contents(folder)

    def full_disk(*_):
        raise OSError('No space left on device')

    monkeypatch.setattr(world, 'write_indices', full_disk)
    with pytest.raises(OSError, match='No space left'):
        make_toy_world(folder, **TINY, seed=9, workers=0, force=True)
    assert contents(folder) == before
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize(
    ('wrong', 'name'),
    [
        ({'scenes': 1}, 'scenes'),
        ({'clips': -1}, 'clips'),
        ({'frames': 1}, 'frames'),
        ({'size': (0, 120)}, 'width'),
        ({'size': (160, 10_000)}, 'height'),
        ({'size': (160.5, 120)}, 'width'),
        ({'size': (160,)}, 'size'),
        ({'seed': -1}, 'seed'),
        ({'scenes': True}, 'scenes'),
    ],
)
def test_a_parameter_out_of_range_is_named(wrong, name):
    with pytest.raises(ValueError, match=f'^{name} must be'):
        ToyParameters(**wrong)


def test_negative_workers_are_refused(tmp_path):
    with pytest.raises(ValueError, match='workers'):
        make_toy_world(tmp_path / 'toy', **TINY, workers=-1)


def test_the_last_line_of_the_command_is_json(command, tmp_path, capsys):
    options = ['--scenes', '4', '--clips', '0', '--size', '64x48', '--workers', '1']
    sheet = tmp_path / 'sheet.png'
    command(['--out', str(tmp_path / 'toy'), *options, '--preview', str(sheet)])
    report = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (report['scenes'], report['clips'], report['reused']) == (4, 0, False)
    assert report['instances'] >= 4
    assert {'seconds', 'bytes', 'pixel_share'} <= report.keys()
    assert sheet.stat().st_size > 0


def test_the_command_reports_bad_input_in_one_message(command, tmp_path, capsys):
    (tmp_path / 'file').write_text('')
    with pytest.raises(SystemExit) as caught:
        command(['--out', str(tmp_path / 'file' / 'toy')])
    assert caught.value.code == 1
    assert f'error: cannot write {tmp_path}/file/toy' in capsys.readouterr().err
    with pytest.raises(SystemExit) as caught:
        command(['--out', str(tmp_path / 'toy'), '--size', '12by9'])
    assert caught.value.code != 0
    assert 'is no WIDTHxHEIGHT' in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [tmp_path / 'file']
