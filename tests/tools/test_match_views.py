"""The pictures of matches: drawn, or one line says why not and nothing is written."""

import importlib.util

import cv2
import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope='module')
def config(tmp_path_factory, repository):
    """A pretraining on three photos, written out."""
    from mmengine.config import Config

    root = tmp_path_factory.mktemp('photos')
    rng = np.random.default_rng(0)
    for number in range(3):
        photo = cv2.resize(rng.integers(0, 256, (4, 6, 3), dtype=np.uint8), (90, 60))
        Image.fromarray(photo).save(root / f'{number}.png')
    cfg = Config.fromfile(repository / 'configs/pixcon/toy.py')
    cfg.train_dataloader.dataset.images = str(root)
    cfg.dump(root / 'config.py')
    return root / 'config.py'


def draw(repository, *arguments):
    path = repository / 'tools/visualization/match_views.py'
    spec = importlib.util.spec_from_file_location('match_views', path)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    tool.main([str(word) for word in arguments])


@pytest.mark.parametrize('what', ['matches', 'alike'])
def test_a_picture_has_a_row_for_each_photo_and_columns_for_each_start(
    repository, config, tmp_path, what
):
    out = tmp_path / 'new' / f'{what}.png'
    shape = ('--num', 3, '--size', 64)
    draw(repository, what, config, 'random', 'random', '--labels', 'a', 'b', *shape, '--out', out)
    width, height = Image.open(out).size
    columns = 4 if what == 'matches' else 3
    assert width / height == pytest.approx(2.3 * columns / (2.5 * 3), rel=0.02)


def test_a_place_outside_is_refused_and_nothing_is_written(repository, config, tmp_path, capsys):
    out = tmp_path / 'a.png'
    with pytest.raises(SystemExit, match='1'):
        draw(repository, 'alike', config, 'random', '--at', 1.5, 0, '--out', out)
    message = 'error: --at [1.5, 0.0]: both must be in [0, 1)'
    assert capsys.readouterr().err.startswith(message)
    assert not out.exists()
