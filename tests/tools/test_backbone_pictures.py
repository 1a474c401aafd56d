"""A backbone's pictures from the command line: the same pixels for a seed, or one line of error."""

import runpy

import numpy as np
import pytest
import torch
from mmpretrain.models import ResNet
from PIL import Image


@pytest.fixture(scope='module')
def files(tmp_path_factory):
    """A small backbone's checkpoint without a config, and three photos."""
    folder = tmp_path_factory.mktemp('files')
    torch.manual_seed(0)
    state = ResNet(depth=18, base_channels=8, stem_channels=8).state_dict()
    torch.save(dict(state_dict={f'backbone.{k}': v for k, v in state.items()}), folder / 'a.pth')
    (folder / 'photos').mkdir()
    rng = np.random.default_rng(0)
    for number in range(3):
        pixels = rng.integers(0, 256, (5, 7, 3), dtype=np.uint8)
        photo = Image.fromarray(pixels).resize((140, 100), Image.Resampling.BILINEAR)
        photo.save(folder / 'photos' / f'{number}.png')
    return folder


def draw(repository, files, tool, out, *options, checkpoint='a.pth'):
    main = runpy.run_path(str(repository / f'tools/visualization/{tool}.py'))['main']
    what, *options = options if tool == 'match_views' else ('', *options)
    given = [*([what] if what else []), str(files / checkpoint), 'random']
    given += ['--images', str(files / 'photos'), '--out', str(out), '--size', '96', '--num', '2']
    main([*given, *options])


@pytest.mark.parametrize(
    ('tool', 'options'),
    [
        ('attention_maps', ['--channels', '4']),
        ('pca_features', ['--shared', 'all']),
        ('match_views', ['alike', '--at', '.2', '.7']),
        ('match_views', ['matches', '--queries', '2']),
    ],
)
def test_a_seed_draws_the_same_picture_and_another_seed_another(
    repository, files, tmp_path, tool, options
):
    if tool == 'attention_maps':
        pytest.importorskip('pytorch_grad_cam')
    for name, seed in (('a', '0'), ('b', '0'), ('c', '1')):
        draw(repository, files, tool, tmp_path / f'{name}.png', *options, '--seed', seed)
    one, same, other = (np.asarray(Image.open(tmp_path / f'{name}.png')) for name in 'abc')
    assert np.array_equal(one, same)
    assert one.shape != other.shape or not np.array_equal(one, other)
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize(
    ('options', 'checkpoint', 'message'),
    [
        (['--out', 'a.xyz'], 'a.pth', '--out a.xyz: the name must end in one of'),
        (['--num', '0'], 'a.pth', '--num must be at least 1'),
        (['--images', 'none'], 'a.pth', '--images none: no such file'),
        (['--level', '3'], 'a.pth', 'a: no output 3, the backbone has 1'),
        (['--names', 'x'], 'a.pth', '2 checkpoints need as many names, got 1'),
        ([], 'none.pth', 'none.pth'),
    ],
)
def test_what_cannot_be_drawn_is_named_and_nothing_is_written(
    repository, files, tmp_path, capsys, options, checkpoint, message
):
    with pytest.raises(SystemExit) as stopped:
        draw(repository, files, 'pca_features', tmp_path / 'a.png', *options, checkpoint=checkpoint)
    assert stopped.value.code == 1
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
