"""Any backbone from any file: with its config, without, and refused where it does not fit."""

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS
from mmpretrain.models import ResNet, SwinTransformer, VisionTransformer
from PIL import Image

from semcl_mm.analysis.pictures import inline_picture
from semcl_mm.checkpoint import CheckpointError, CheckpointMismatch, load_whole_model
from semcl_mm.models import TimmBackbone
from semcl_mm.visualization import choose_photos, open_backbones
from semcl_mm.visualization.backbones import titles_of
from semcl_mm.visualization.predictions import evenly_spaced

VIT = dict(embed_dims=64, num_layers=2, num_heads=1, feedforward_channels=64)
SWIN = dict(embed_dims=12, depths=[1, 1, 1, 1], num_heads=[1, 1, 2, 2])
BACKBONES = {
    'resnet': (dict(type=ResNet, depth=18, base_channels=8, stem_channels=8), 32),
    'swin': (dict(type=SwinTransformer, arch=SWIN, img_size=64, pad_small_map=True), 32),
    'vit': (dict(type=VisionTransformer, arch=VIT, img_size=64, patch_size=16), 16),
    'vit_tokens': (
        dict(type=VisionTransformer, arch=VIT, img_size=64, patch_size=16, out_type='raw'),
        16,
    ),
    'timm': (dict(type=TimmBackbone, model_name='resnet10t', out_indices=(-1,)), 32),
}


def save(backbone, path):
    torch.manual_seed(1)
    module = MODELS.build(backbone)
    module.init_weights()
    state = {f'backbone.{key}': value for key, value in module.state_dict().items()}
    torch.save(dict(state_dict=state), path)
    return module


@pytest.mark.parametrize('name', BACKBONES)
def test_a_checkpoint_and_its_start_give_maps_and_leave_the_random_state_alone(name, tmp_path):
    backbone, stride = BACKBONES[name]
    save(backbone, tmp_path / 'a.pth')
    config = Config(dict(model=dict(backbone=backbone, data_preprocessor=dict(mean=[1.0] * 3))))
    torch.manual_seed(5)
    before = torch.get_rng_state()
    shown = open_backbones(config, [tmp_path / 'a.pth', 'random', 'random'], seed=3)
    assert torch.equal(torch.get_rng_state(), before)
    photos = torch.randint(256, (1, 3, 64, 64)).byte()
    first, second, third = (each.maps(each.prepare(photos)) for each in shown)
    assert first.shape[-2:] == (64 // stride, 64 // stride)
    assert torch.equal(second, third)
    assert not torch.equal(first, second)
    assert float(shown[0].mean[0]) == 1


@pytest.mark.parametrize('name', ['resnet', 'swin', 'vit'])
def test_without_a_config_the_tensors_tell_the_architecture(name, tmp_path):
    backbone, _ = BACKBONES[name]
    save(backbone, tmp_path / 'a.pth')
    photos = torch.randint(256, (1, 3, 224, 224)).byte()
    config = Config(dict(model=dict(backbone=backbone)))
    maps = [
        each.maps(each.prepare(photos))
        for source in (config, None)
        for each in open_backbones(source, [tmp_path / 'a.pth'])
    ]
    torch.testing.assert_close(*maps)


def test_a_file_of_another_architecture_is_named(tmp_path):
    save(BACKBONES['vit'][0], tmp_path / 'vit.pth')
    config = Config(dict(model=dict(backbone=BACKBONES['resnet'][0])))
    with pytest.raises(CheckpointMismatch, match=r'vit\.pth: the file holds a vit'):
        open_backbones(config, [tmp_path / 'vit.pth'])
    with pytest.raises(ValueError, match='alone names no architecture'):
        open_backbones(None, ['random'])
    (shown,) = open_backbones(config, ['random'])
    with pytest.raises(ValueError, match='no output 1, the backbone has 1'):
        shown._replace(level=1).maps(torch.zeros(1, 3, 64, 64))


def test_titles_are_the_shortest_ends_that_differ():
    assert titles_of(['a/x.pth', 'b/y.pth']) == ['x', 'y']
    assert titles_of(['a/x.pth', 'b/x.pth', 'random'])[:2] == ['a/x', 'b/x']
    with pytest.raises(ValueError, match='2 checkpoints need as many names, got 1'):
        titles_of(['a', 'b'], ['c'])


def test_photos_are_central_squares_chosen_by_the_seed(tmp_path):
    for number in range(5):
        pixels = np.zeros((40, 60, 3), np.uint8)
        pixels[:, 10:50] = 40 * number + 20
        Image.fromarray(pixels).save(tmp_path / f'{number}.png')
    chosen = [choose_photos([tmp_path], None, 3, 32, seed) for seed in (0, 0, 1, 2)]
    assert torch.equal(chosen[0], chosen[1])
    assert len({tuple(each[:, 0, 0, 0].tolist()) for each in chosen}) > 1
    assert all(bool((photo == photo[0, 0, 0]).all()) for photo in chosen[0])
    files = [tmp_path / '3.png', tmp_path / '1.png']
    assert choose_photos(files, None, 4, 32, 0)[:, 0, 0, 0].tolist() == [140, 60]
    with pytest.raises(FileNotFoundError, match='none'):
        choose_photos([tmp_path / 'none'], None, 1, 32, 0)
    with pytest.raises(ValueError, match='give --images'):
        choose_photos(None, None, 1, 32, 0)


def test_items_are_evenly_spaced_from_the_first():
    assert evenly_spaced(range(10), 4) == [0, 2, 5, 7]
    assert evenly_spaced(range(3), 9) == [0, 1, 2]
    for wrong in (([], 1), ([1], 0)):
        with pytest.raises(ValueError, match=r'no image|at least 1'):
            evenly_spaced(*wrong)


def test_a_whole_model_is_loaded_or_the_first_misfit_is_named(tmp_path):
    model, path = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Linear(3, 1)), tmp_path / 'm'
    state = {key: value + 1 for key, value in model.state_dict().items()}

    def load(**changed):
        kept = {k: v for k, v in {**state, **changed}.items() if v is not None}
        torch.save(dict(state_dict=kept), path)
        load_whole_model(model, path, origin='c.py')

    load()
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())
    with pytest.raises(CheckpointMismatch, match=r'fit c\.py: lacks 0\.bias \(and 1 more\)'):
        load(**{'0.bias': None, '1.bias': None})
    with pytest.raises(CheckpointMismatch, match=r'has x, the model does not$'):
        load(x=torch.zeros(1))
    with pytest.raises(CheckpointMismatch, match=r'size mismatch for 1\.bias'):
        load(**{'1.bias': torch.zeros(2)})
    torch.save(dict(a=torch.zeros(1)), path)
    with pytest.raises(CheckpointError, match='no state_dict'):
        load_whole_model(model, path)


def test_a_picture_in_a_page_is_the_file(tmp_path):
    import base64

    from matplotlib.figure import Figure

    Image.new('RGB', (2, 2)).save(tmp_path / 'a.png')
    tag = inline_picture(tmp_path / 'a.png', 'a "<b>"')
    assert '&quot;&lt;b&gt;&quot;' in tag
    data = tag.partition('base64,')[2].partition('"')[0]
    assert base64.b64decode(data) == (tmp_path / 'a.png').read_bytes()
    assert inline_picture(Figure((1, 1)), 'x') == inline_picture(Figure((1, 1)), 'x')
    (tmp_path / 'no.png').write_text('text')
    with pytest.raises(ValueError, match=r'no\.png: not a PNG'):
        inline_picture(tmp_path / 'no.png', '')
