"""From a training to its picture: depth beside ground truth, or one line that says why not."""

import runpy
import sys

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS
from PIL import Image


@pytest.fixture(scope='module')
def config(repository, toy_world, tmp_path_factory):
    """The toy's config for a smaller toy world, and a checkpoint of its untrained model."""
    folder = tmp_path_factory.mktemp('depth')
    cfg = Config.fromfile(repository / 'configs/depth/upernet-depth_r18-narrow_toy.py')
    cfg.val_dataloader.dataset.data_root = str(toy_world)
    cfg.dump(folder / 'config.py')
    torch.manual_seed(0)
    torch.save({'state_dict': MODELS.build(cfg.model).state_dict()}, folder / 'model.pth')
    return folder / 'config.py', folder / 'model.pth'


def compare(repository, monkeypatch, *arguments):
    tool = repository / 'tools/visualization/compare_depth.py'
    monkeypatch.setattr(sys, 'argv', [str(word) for word in (tool, *arguments)])
    runpy.run_path(str(tool), run_name='__main__')


def test_the_picture_shows_each_image_with_every_prediction(
    repository, config, tmp_path, monkeypatch
):
    path, checkpoint = config
    out = tmp_path / 'new/depth.png'
    files = ('--checkpoints', checkpoint, checkpoint)
    compare(repository, monkeypatch, path, *files, '--num', 2, '--out', out)
    with Image.open(out) as picture:
        pixels = np.asarray(picture.convert('RGB'))
    # four columns of 96 x 72 images and a colour bar, two rows
    assert 2.0 < pixels.shape[1] / pixels.shape[0] < 4.0
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 1000


def test_a_checkpoint_of_another_model_is_named_without_a_traceback(
    repository, config, tmp_path, monkeypatch, capsys
):
    path, _ = config
    torch.save({'state_dict': {'x': torch.zeros(1)}}, tmp_path / 'other.pth')
    out = tmp_path / 'depth.png'
    files = ('--checkpoints', tmp_path / 'other.pth')
    with pytest.raises(SystemExit) as stopped:
        compare(repository, monkeypatch, path, *files, '--out', out)
    assert stopped.value.code == 1
    assert 'other.pth: does not fit' in capsys.readouterr().err
    assert not out.exists()
