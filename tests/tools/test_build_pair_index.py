"""The command line of build_pair_index: its last line, its exit codes, and bad input."""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'datasets'))
from pair_worlds import blocks, make_coco, make_voc, write_image, write_label


@pytest.fixture(scope='module')
def tool(repository):
    path = repository / 'tools/dataset_converters/build_pair_index.py'
    spec = importlib.util.spec_from_file_location('build_pair_index', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(tool, capsys, *arguments) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of one call in this process."""
    code = 0
    try:
        tool.main([str(argument) for argument in arguments])
    except SystemExit as stop:
        code = stop.code
    return code, *capsys.readouterr()


def make_folder(root: Path) -> None:
    for number in range(3):
        write_image(root / f'images/{number}.jpg', number)
        write_label(root / f'labels/{number}.png', blocks(number, [0, 1, 2]).astype(np.uint8))


def test_the_last_line_is_one_json_object_with_all_counts(tool, capsys, tmp_path) -> None:
    make_voc(tmp_path)
    code, out, err = run(tool, capsys, 'voc', tmp_path, '--out', tmp_path / 'a/b/voc.pairs')
    summary = json.loads(out.splitlines()[-1])
    assert code == 0
    assert summary['images'] == 5
    assert summary['pairs'] == sum(summary['pairs_per_class'].values()) > 0
    assert summary['skipped']['too small'] == 5
    assert summary['bytes'] == (tmp_path / 'a/b/voc.pairs').stat().st_size
    assert 'ETA' in err


@pytest.mark.parametrize(
    'arguments', [[], ['voc'], ['voc', 'x'], ['voc', 'x', '--out', 'y', '--min-area', '2']]
)
def test_a_wrong_command_line_exits_with_2(tool, capsys, arguments) -> None:
    assert run(tool, capsys, *arguments)[0] == 2


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def _cut_file(name):
    return lambda root: _truncate(root / name)


def _unlink(name):
    return lambda root: (root / name).unlink()


def _other_size(root: Path) -> None:
    write_label(root / 'labels/1.png', np.zeros((7, 9), np.uint8))


def _unknown_value(root: Path) -> None:
    label = np.zeros((40, 60), np.uint8)
    label[3, 4] = 37
    write_label(root / 'labels/1.png', label)


def _nothing_kept(root: Path) -> None:
    for path in (root / 'labels').iterdir():
        write_label(path, np.full((40, 60), 255, np.uint8))


def _empty(name):
    return lambda root: (root / name).write_bytes(b'')


@pytest.mark.parametrize(
    ('spoil', 'named'),
    [
        (_empty('labels/1.png'), ['labels/1.png', 'no image (0 bytes)']),
        (_cut_file('images/1.jpg'), ['images/1.jpg', 'truncated']),
        (_cut_file('labels/1.png'), ['labels/1.png', 'truncated']),
        (_unlink('labels/1.png'), ['images/1.jpg', 'has no label']),
        (_unlink('images/1.jpg'), ['labels/1.png', 'label without image']),
        (_other_size, ['labels/1.png', '9 x 7', '60 x 40']),
        (_unknown_value, ['labels/1.png', 'label value 37', 'row 3, column 4']),
        (_nothing_kept, ['no pairs', 'ignored label 3']),
    ],
)
@pytest.mark.parametrize('workers', [1, 2])
def test_bad_data_end_in_one_line_that_names_the_file_and_leave_the_old_index(
    tool, capsys, tmp_path, spoil, named, workers
) -> None:
    root, out = tmp_path / 'data', tmp_path / 'out' / 'index'
    make_folder(root)
    options = ['--num-classes', 3, '--workers', workers, '--out', out]
    assert run(tool, capsys, 'folder', root, *options)[0] == 0
    before = out.read_bytes()
    spoil(root)
    code, stdout, err = run(tool, capsys, 'folder', root, *options)
    errors = [line for line in err.splitlines() if line.startswith('error: ')]
    assert (code, stdout, len(errors)) == (1, '', 1)
    assert 'Traceback' not in err
    assert all(text in errors[0] for text in named)
    assert out.read_bytes() == before
    assert list(out.parent.iterdir()) == [out]


def test_missing_labels_and_images_are_counted_where_that_is_allowed(
    tool, capsys, tmp_path
) -> None:
    make_folder(tmp_path)
    (tmp_path / 'labels/0.png').unlink()
    (tmp_path / 'images/1.jpg').unlink()
    out = tmp_path / 'index'
    code, stdout, _ = run(tool, capsys, 'folder', tmp_path, '--allow-missing', '--out', out)
    skipped = json.loads(stdout)['skipped']
    assert code == 0
    assert (skipped['image without label'], skipped['label without image']) == (1, 1)


@pytest.mark.parametrize(
    'layout', ['voc', 'cityscapes', 'ade20k', 'ade20k-full', 'coco-stuff', 'coco', 'folder']
)
@pytest.mark.parametrize('empty', [True, False])
def test_a_wrong_root_is_named_and_nothing_is_written(
    tool, capsys, tmp_path, layout, empty
) -> None:
    root, out = tmp_path / 'no-data', tmp_path / 'index'
    if empty:
        root.mkdir()
    code, _, err = run(tool, capsys, layout, root, '--out', out)
    assert code == 1
    assert err.startswith('error: ')
    assert 'no-data' in err
    assert not out.exists()


def test_a_wrong_split_lists_those_that_exist(tool, capsys, tmp_path) -> None:
    make_voc(tmp_path)
    code, _, err = run(tool, capsys, 'voc', tmp_path, '--split', 'trian', '--out', tmp_path / 'i')
    assert code == 1
    assert "'trian'" in err
    assert 'this data set has train' in err


def test_a_voc_value_37_is_an_error(tool, capsys, tmp_path) -> None:
    make_voc(tmp_path, 1)
    label = np.zeros((40, 60), np.uint8)
    label[:20] = 37
    write_label(tmp_path / 'SegmentationClass/000.png', label)
    code, _, err = run(tool, capsys, 'voc', tmp_path, '--out', tmp_path / 'i')
    assert code == 1
    assert 'label value 37' in err


def test_a_truncated_coco_file_is_named(tool, capsys, tmp_path) -> None:
    make_coco(tmp_path)
    _truncate(tmp_path / 'annotations/instances_train2017.json')
    code, _, err = run(tool, capsys, 'coco', tmp_path, '--out', tmp_path / 'i')
    assert code == 1
    assert 'instances_train2017.json: truncated' in err


@pytest.mark.parametrize('segmentation', [[[0, 0, 9]], [], [[]], {'size': [9]}, 'x', None])
def test_a_segmentation_that_is_no_mask_is_named_by_its_annotation(
    tool, capsys, tmp_path, segmentation
) -> None:
    make_coco(tmp_path)
    path = tmp_path / 'annotations/instances_train2017.json'
    content = json.loads(path.read_text())
    content['annotations'][0].update(id=77, iscrowd=0, segmentation=segmentation)
    path.write_text(json.dumps(content))
    code, _, err = run(tool, capsys, 'coco', tmp_path, '--out', tmp_path / 'i', '--workers', 1)
    if code == 0:
        assert segmentation == []  # nothing was drawn: an empty mask, counted
    else:
        assert 'Traceback' not in err
        assert 'instances_train2017.json: annotation 77: ' in err


def test_a_folder_as_target_is_refused_before_the_work(tool, capsys, tmp_path) -> None:
    make_folder(tmp_path)
    code, _, err = run(tool, capsys, 'folder', tmp_path, '--out', tmp_path / 'images')
    assert code == 1
    assert '--out names the index file' in err


def test_bytes_behind_the_end_of_a_jpeg_are_no_error(tool, capsys, tmp_path) -> None:
    make_folder(tmp_path)
    path = tmp_path / 'images/1.jpg'
    path.write_bytes(path.read_bytes() + b'trailing words')
    assert run(tool, capsys, 'folder', tmp_path, '--out', tmp_path / 'i')[0] == 0


def test_the_paper_rule_keeps_a_region_that_the_code_rule_drops(tool, capsys, tmp_path) -> None:
    label = np.full((40, 60), 1, np.uint8)
    label[0, :24] = 2  # 24 = 0.01 * 40 * 60 = ceil(4) * ceil(6)
    Image.fromarray(np.zeros((40, 60, 3), np.uint8)).save(tmp_path / 'a.png')
    write_image(tmp_path / 'images/a.png')
    write_label(tmp_path / 'labels/a.png', label)
    counts = {}
    for rule in ('code', 'paper'):
        out = tmp_path / rule
        arguments = ('folder', tmp_path, '--area-rule', rule, '--out', out)
        counts[rule] = json.loads(run(tool, capsys, *arguments)[1])['pairs']
    assert counts == {'code': 1, 'paper': 2}
