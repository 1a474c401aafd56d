"""The picture of embeddings: the same pixels in every panel, or one line that says why not."""

import json
import runpy

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS
from PIL import Image


@pytest.fixture(scope='module')
def tool(repository):
    return runpy.run_path(str(repository / 'tools/visualization/tsne_embeddings.py'))['main']


@pytest.fixture(scope='module')
def files(repository, toy_world, tmp_path_factory):
    """The toy config on a tiny toy world, and checkpoints with and without a contrast head."""
    folder = tmp_path_factory.mktemp('models')
    cfg = Config.fromfile(repository / 'configs/pixel_contrast/upernet_r18_toy.py')
    cfg.val_dataloader.dataset.data_root = str(toy_world)
    cfg.dump(folder / 'toy.py')
    torch.manual_seed(0)
    state = MODELS.build(cfg.model).state_dict()
    torch.save(dict(state_dict=state), folder / 'contrast.pth')
    plain = {key: value for key, value in state.items() if not key.startswith('contrast_head.')}
    torch.save(dict(state_dict=plain), folder / 'plain.pth')
    short = {key: value for key, value in plain.items() if 'conv_seg' not in key}
    torch.save(dict(state_dict=short), folder / 'short.pth')
    return folder


def draw(tool, files, checkpoints, out, *options):
    checkpoints = [str(files / f'{name}.pth') for name in checkpoints]
    small = ['--images', '3', '--pixels', '60', '--perplexity', '5']
    tool([str(files / 'toy.py'), *checkpoints, '--out', str(out), *small, *options])


@pytest.mark.parametrize('layer', ['projection', 'decoder', 'backbone'])
def test_equal_checkpoints_give_equal_panels_and_a_seed_the_same_picture(
    tool, files, tmp_path, capsys, layer
):
    """Decoder and backbone need no contrast head; a memory of another size is no obstacle."""
    other = 'contrast' if layer == 'projection' else 'plain'
    names = ['--names', 'one', 'two', '--layer', layer]
    for name in ('a', 'b'):
        draw(tool, files, ['contrast', other], tmp_path / f'{name}.png', *names)
    lines = capsys.readouterr().out.splitlines()
    first, second = json.loads(lines[0]), json.loads(lines[1])
    assert (first['name'], second['name']) == ('one', 'two')
    assert 0 < first['purity'] == second['purity'] <= 1
    pictures = [np.asarray(Image.open(tmp_path / f'{name}.png')) for name in ('a', 'b')]
    assert np.array_equal(*pictures)
    assert {path.name for path in tmp_path.iterdir()} == {'a.png', 'b.png'}


@pytest.mark.parametrize(
    ('checkpoint', 'options', 'message'),
    [
        ('plain', [], 'plain.pth: it has no projection head; choose --layer decoder'),
        ('short', ['--layer', 'decoder'], 'short.pth: does not fit'),
        ('none', [], 'none.pth'),
        ('contrast', ['--perplexity', '1000'], 'perplexity 1000'),
        ('contrast', ['--images', '0'], '--images must be at least 1'),
    ],
)
def test_what_cannot_be_shown_is_named_and_nothing_is_written(
    tool, files, tmp_path, capsys, checkpoint, options, message
):
    with pytest.raises(SystemExit) as stopped:
        draw(tool, files, [checkpoint], tmp_path / 'new.png', *options)
    assert stopped.value.code == 1
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
