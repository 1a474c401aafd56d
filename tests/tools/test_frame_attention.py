"""The picture of attention between frames: it shows what the embeddings say."""

import importlib.util

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image

from semcl_mm.registry import MODELS
from semcl_mm.visualization.frames import head_maps


@pytest.fixture(scope='module')
def tool(repository):
    path = repository / 'tools/visualization/frame_attention.py'
    spec = importlib.util.spec_from_file_location('frame_attention', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope='module')
def run(tmp_path_factory, repository, toy_world):
    """A config on the tiny toy world, and a checkpoint of random weights."""
    folder = tmp_path_factory.mktemp('run')
    cfg = Config.fromfile(repository / 'configs/cacl/toy.py')
    clips = toy_world / 'clips'
    frames = dict(data_root=str(clips), ann_file=str(clips / 'train.txt'), stride=2)
    cfg.merge_from_dict({'train_dataloader.dataset.frames': frames, 'model.queue_size': 8})
    cfg.dump(folder / 'config.py')
    model = MODELS.build(cfg.model)
    torch.save({'state_dict': model.state_dict(), 'meta': {}}, folder / 'iter_0.pth')
    return folder


def test_a_picture_is_written_for_the_checkpoint(tool, run, capsys):
    out = run / 'sub' / 'picture.png'
    tool.main([str(run / 'config.py'), str(run / 'iter_0.pth'), '--out', str(out), '--num', '2'])
    assert 'wrote' in capsys.readouterr().out
    with Image.open(out) as picture:
        assert picture.width > 3 * picture.height / 2
    assert [path.name for path in out.parent.iterdir()] == ['picture.png']


@pytest.mark.parametrize('options', [[], ['--backbone']])
def test_a_training_is_shown_with_its_start_and_equally_each_time(tool, run, options):
    files = ['random', str(run / 'iter_0.pth'), *options, '--num', '1', '--size', '64']
    for name in ('a.png', 'b.png'):
        tool.main([str(run / 'config.py'), *files, '--out', str(run / name)])
    pictures = [np.asarray(Image.open(run / name)) for name in ('a.png', 'b.png')]
    assert np.array_equal(*pictures)


def test_in_a_frame_that_stands_still_a_cell_is_most_similar_to_itself(run):
    cfg = Config.fromfile(run / 'config.py')
    torch.manual_seed(0)
    model = MODELS.build(cfg.model).eval()
    image = torch.randn(2, 3, 32, 48)
    targets, maps = head_maps(model, [image, image], seed=3)
    assert len(maps) == 4
    for title, values in maps.items():
        assert values.shape == (2, 4, 6)
        if title.endswith('next frame'):
            best = values.flatten(1).argmax(dim=1)
            assert torch.equal(best, targets[:, 0] * 6 + targets[:, 1])
        else:
            torch.testing.assert_close(values.sum(dim=(1, 2)), torch.ones(2))


def test_a_checkpoint_of_another_model_is_named_and_nothing_is_written(tool, run, capsys):
    torch.save({'state_dict': {}}, run / 'other.pth')
    out = run / 'nothing.png'
    with pytest.raises(SystemExit):
        tool.main([str(run / 'config.py'), str(run / 'other.pth'), '--out', str(out)])
    assert 'other.pth: no state_dict in it' in capsys.readouterr().err
    assert not out.exists()
