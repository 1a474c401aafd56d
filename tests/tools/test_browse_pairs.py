"""The picture of pairs: it is drawn, or one line says why not and nothing is written."""

import subprocess
import sys

import cv2
import numpy as np
import pytest
from PIL import Image

from semcl_mm.datasets.label_sources import folder
from semcl_mm.datasets.pair_builder import Selection, build_index


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp('data')
    rng = np.random.default_rng(0)
    for name in ('images', 'labels'):
        (root / name).mkdir()
    for number in range(3):
        photo = cv2.resize(rng.integers(0, 256, (4, 6, 3), dtype=np.uint8), (60, 40))
        label = np.zeros((40, 60), dtype=np.uint8)
        label[10:30, 20:40] = 1
        Image.fromarray(photo).save(root / f'images/{number}.png')
        Image.fromarray(label).save(root / f'labels/{number}.png')
    build_index(folder(root, num_classes=2, ignore=(0,)), root / 'index', Selection())
    return root


def browse(repository, *arguments):
    command = [sys.executable, repository / 'tools/visualization/browse_pairs.py', *arguments]
    return subprocess.run([str(word) for word in command], capture_output=True, text=True)


def test_a_grid_of_all_pairs_is_drawn_where_fewer_are_there_than_asked_for(
    repository, data, tmp_path
):
    out = tmp_path / 'new' / 'pairs.png'
    done = browse(repository, '--index', data / 'index', '--data-root', data, '--out', out)
    assert done.returncode == 0, done.stderr
    with Image.open(out) as picture:
        assert picture.height == 20 + 46 + 3 * (128 + 26) + 10
        pixels = np.asarray(picture.convert('RGB'))
    assert (pixels == (255, 64, 96)).all(axis=2).any()  # the line around an anchor
    assert [path.name for path in out.parent.iterdir()] == ['pairs.png']


def test_a_damaged_photo_is_named_without_traceback_and_nothing_is_written(
    repository, data, tmp_path
):
    photo = data / 'images/1.png'
    content = photo.read_bytes()
    photo.write_bytes(content[:-20])
    done = browse(
        repository, '--index', data / 'index', '--data-root', data, '--out', tmp_path / 'x.png'
    )
    photo.write_bytes(content)
    assert done.returncode == 1
    assert done.stderr.startswith('error: ')
    assert 'images/1.png' in done.stderr
    assert 'Traceback' not in done.stderr
    assert list(tmp_path.iterdir()) == []
