"""From a training to its picture: depth beside ground truth, or one line that says why not."""

import functools
import json
import runpy
import sys

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image

TINY = [
    'train_cfg.max_iters=2',
    'train_cfg.val_interval=1',
    'train_dataloader.batch_size=2',
    'train_dataloader.num_workers=0',
    'val_dataloader.num_workers=0',
    'param_scheduler.0.end=1',
    'param_scheduler.1.begin=1',
    'default_hooks.checkpoint.interval=2',
]


def run(tool, *arguments):
    """A tool as if called from the command line; raises SystemExit on errors."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, 'argv', [str(word) for word in (tool, *arguments)])
        runpy.run_path(str(tool), run_name='__main__')


@pytest.fixture(scope='module')
def trained(repository, toy_world, tmp_path_factory):
    """The toy's config for a smaller toy world, and the work dir of two steps of training."""
    folder = tmp_path_factory.mktemp('depth')
    cfg = Config.fromfile(repository / 'configs/depth/upernet-depth_r18-narrow_toy.py')
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        loader.dataset.data_root = str(toy_world)
    for crop in cfg.train_dataloader.dataset.pipeline:
        if 'crop_size' in crop:
            crop.crop_size = (64, 64)
    cfg.model.data_preprocessor['size'] = (64, 64)
    cfg.dump(folder / 'config.py')
    options = ('--seed', 0, '--work-dir', folder / 'run', '--cfg-options', *TINY)
    run(repository / 'tools/train.py', folder / 'config.py', *options)
    return folder / 'config.py', folder / 'run'


@pytest.fixture
def compare(repository):
    return functools.partial(run, repository / 'tools/visualization/compare_depth.py')


def test_a_run_records_every_measure_and_its_best_errors_are_the_lowest(trained):
    _, work_dir = trained
    (path,) = work_dir.glob('*/record.json')
    record = json.loads(path.read_text())
    final, best = record['metrics_final'], record['metrics_best']
    assert record['status'] == 'finished'
    assert (final['images'], final['images_without_truth']) == (6, 0)
    for name in ('AbsRel', 'SqRel', 'RMSE', 'RMSElog', 'log10', 'SILog'):
        assert 0 < best[name] <= final[name]
    for name in ('d1', 'd2', 'd3'):
        assert 0 <= final[name] <= best[name] <= 1


def test_the_picture_shows_each_image_with_every_prediction(trained, compare, tmp_path):
    path, work_dir = trained
    checkpoint = work_dir / 'iter_2.pth'
    out = tmp_path / 'new/depth.png'
    files = ('--checkpoints', checkpoint, checkpoint)
    compare(path, *files, '--num', 2, '--out', out)
    with Image.open(out) as picture:
        pixels = np.asarray(picture.convert('RGB'))
    # four columns of 96 x 72 images and a colour bar, two rows
    assert 2.0 < pixels.shape[1] / pixels.shape[0] < 4.0
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 1000


def test_a_checkpoint_of_another_model_is_named_without_a_traceback(
    trained, compare, tmp_path, capsys
):
    path, _ = trained
    torch.save({'state_dict': {'x': torch.zeros(1)}}, tmp_path / 'other.pth')
    out = tmp_path / 'depth.png'
    files = ('--checkpoints', tmp_path / 'other.pth')
    with pytest.raises(SystemExit) as stopped:
        compare(path, *files, '--out', out)
    assert stopped.value.code == 1
    assert 'other.pth: does not fit' in capsys.readouterr().err
    assert not out.exists()
