"""Segmentations beside the truth: the panels hold what the files and the model say."""

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS
from PIL import Image

from semcl_mm.visualization.detections import draw_detections
from semcl_mm.visualization.segmentations import draw_segmentations


@pytest.fixture(scope='module')
def files(repository, toy_world, tmp_path_factory):
    """A linear segmentor's config on a tiny toy world, and a checkpoint of random weights."""
    folder = tmp_path_factory.mktemp('segmentor')
    cfg = Config.fromfile(repository / 'configs/segmentation/linear_r18-narrow_toy.py')
    cfg.val_dataloader.dataset.data_root = str(toy_world)
    cfg.dump(folder / 'toy.py')
    torch.manual_seed(0)
    torch.save(dict(state_dict=MODELS.build(cfg.model).state_dict()), folder / 'a.pth')
    return folder


def test_rows_are_evenly_spaced_images_with_their_truth_and_equal_files_give_equal_panels(
    files, toy_world
):
    checkpoints = [files / 'a.pth'] * 2
    figure = draw_segmentations(files / 'toy.py', checkpoints, ['one', 'two'], num=2)
    axes = np.array(figure.axes[:8]).reshape(2, 4)
    assert [axis.get_title() for axis in axes[0]] == ['image', 'ground truth', 'one', 'two']
    lists = toy_world / 'ImageSets/Segmentation/val.txt'
    names = lists.read_text().split()
    for row, name in zip(axes, (names[0], names[len(names) // 2]), strict=True):
        _, truth, one, two = (np.asarray(axis.images[0].get_array()) for axis in row)
        with Image.open(toy_world / f'SegmentationClass/{name}.png') as label:
            classes = np.asarray(label)
        colours = truth.reshape(-1, 3)[np.unique(classes, return_index=True)[1]]
        assert len(np.unique(colours, axis=0)) == len(np.unique(classes))
        assert truth.shape == one.shape == (*classes.shape, 3)
        assert np.array_equal(one, two)


def test_a_picture_of_another_task_is_refused(files):
    with pytest.raises(ValueError, match=r'toy\.py: its images have no objects'):
        draw_detections(files / 'toy.py', [files / 'a.pth'])
    with pytest.raises(ValueError, match='1 checkpoints need as many names, got 2'):
        draw_segmentations(files / 'toy.py', [files / 'a.pth'], ['a', 'b'])
