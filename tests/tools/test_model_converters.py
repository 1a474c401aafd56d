"""The converters' command lines: what they write, print and refuse."""

import re
import runpy

import mmdet.models
import mmpretrain
import mmseg.models
import pytest
import timm
import torch
import torchvision
from mmpretrain.models import ResNet, SwinTransformer, VisionTransformer

from semcl_mm import __version__
from semcl_mm.checkpoint import file_sha256, load_backbone, load_file
from semcl_mm.checkpoint.publishing import state_hash

SWIN = {'embed_dims': 24, 'depths': [1, 1, 2, 1], 'num_heads': [1, 2, 4, 8]}
VIT = {'embed_dims': 128, 'num_layers': 2, 'num_heads': 2, 'feedforward_channels': 256}


@pytest.fixture
def run(repository, tmp_path, monkeypatch):
    """Runs a converter in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def run(tool: str, *arguments: str) -> None:
        main = runpy.run_path(str(repository / 'tools/model_converters' / f'{tool}.py'))['main']
        main(list(arguments))

    return run


@pytest.fixture
def resnet(tmp_path):
    """A torchvision ResNet-18 in a file."""
    torch.manual_seed(0)
    model = torchvision.models.resnet18()
    torch.save(model.state_dict(), tmp_path / 'resnet18.pth')
    return model


def failure(run, capsys, *arguments: str) -> str:
    """The message of a converter that must fail."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as stopped:
        run(*arguments)
    assert stopped.value.code == 1
    error = capsys.readouterr().err
    assert error.startswith('error: ')
    return error


def test_to_mm_writes_the_published_form_and_counts(run, resnet, tmp_path, capsys):
    run('to_mm', 'resnet18.pth', 'new/ours.pth', '--arch', 'ResNet-18')
    published = load_file(tmp_path / 'new/ours.pth')
    assert set(published) == {'state_dict', 'meta'}
    assert all(key.startswith('backbone.') for key in published['state_dict'])
    assert published['meta'] == {
        'source_format': 'plain:resnet/torchvision',
        'source_file': 'resnet18.pth',
        'source_sha256': file_sha256(tmp_path / 'resnet18.pth'),
        'encoder': 'online',
        'architecture': 'resnet18',
        'semcl_mm_version': __version__,
    }
    printed = capsys.readouterr().out
    assert 'backbone: 120 tensors' in printed
    assert 'left out: fc 2' in printed
    report = load_backbone(ResNet(depth=18), tmp_path / 'new/ours.pth')
    assert report.complete


def test_mmengines_own_loading_takes_the_published_form(run, resnet, tmp_path):
    run('to_mm', 'resnet18.pth', 'ours.pth')
    backbone = ResNet(
        depth=18,
        init_cfg={'type': 'Pretrained', 'checkpoint': 'ours.pth', 'prefix': 'backbone.'},
    )
    backbone.init_weights()
    assert torch.equal(backbone.layer4[1].conv2.weight, resnet.layer4[1].conv2.weight)


@pytest.mark.parametrize('library', [mmpretrain, mmseg, mmdet])
def test_a_swin_of_another_library_loads_strictly(library, run, tmp_path):
    """The index of relative positions is in the state of all three, and not in timm's files."""
    torch.manual_seed(0)
    theirs = timm.models.swin_transformer.SwinTransformer(
        img_size=224, embed_dim=24, depths=(1, 1, 2, 1), num_heads=(1, 2, 4, 8)
    )
    torch.save(theirs.state_dict(), tmp_path / 'timm.pth')
    run('to_mm', 'timm.pth', 'ours.pth')
    state = load_file(tmp_path / 'ours.pth')['state_dict']
    state = {key.removeprefix('backbone.'): value for key, value in state.items()}
    if library is mmpretrain:
        network = SwinTransformer(arch=SWIN)
    else:
        network = library.models.SwinTransformer(
            embed_dims=24, depths=(1, 1, 2, 1), num_heads=(1, 2, 4, 8), out_indices=(3,)
        )
    indices = {k: v.clone() for k, v in network.state_dict().items() if k.endswith('index')}
    network.load_state_dict(state, strict=True)
    assert len(indices) == 5
    assert all(torch.equal(state[key], value) for key, value in indices.items())


def test_another_architecture_than_promised_writes_nothing(run, resnet, tmp_path, capsys):
    error = failure(run, capsys, 'to_mm', 'resnet18.pth', 'ours.pth', '--arch', 'resnet50')
    assert 'resnet18.pth: it holds a resnet18, not a resnet50' in error
    assert [path.name for path in tmp_path.iterdir()] == ['resnet18.pth']


def test_tensors_without_a_place_stop_the_conversion_unless_allowed(run, tmp_path, capsys):
    model = timm.models.vision_transformer.VisionTransformer(
        img_size=32, patch_size=8, embed_dim=128, depth=2, num_heads=2, mlp_ratio=2.0
    )
    torch.save({**model.state_dict(), 'mask_token': torch.zeros(1, 1, 128)}, tmp_path / 'x.pth')
    error = failure(run, capsys, 'to_mm', 'x.pth', 'ours.pth')
    assert 'mask_token' in error
    assert '--allow-partial' in error
    run('to_mm', 'x.pth', 'ours.pth', '--allow-partial')
    assert 'mask_token' in capsys.readouterr().out
    backbone = VisionTransformer(arch=VIT, img_size=32, patch_size=8)
    assert load_backbone(backbone, tmp_path / 'ours.pth').complete


def test_a_file_that_wants_to_run_code_is_refused(run, tmp_path, capsys):
    torch.save({'state_dict': {}, 'model': torch.nn.ReLU()}, tmp_path / 'x.pth')
    error = failure(run, capsys, 'to_mm', 'x.pth', 'ours.pth')
    assert 'torch.nn.modules.activation.ReLU' in error
    assert '--trust' in error
    assert not (tmp_path / 'ours.pth').exists()


@pytest.mark.parametrize(
    ('tool', 'options'),
    [('to_mm', []), ('from_mm', ['--to', 'timm']), ('extract_backbone_weights', []),
     ('publish_model', [])],
)  # fmt: skip
def test_every_tool_names_a_missing_and_a_broken_file(tool, options, run, tmp_path, capsys):
    assert 'missing.pth' in failure(run, capsys, tool, 'missing.pth', 'out.pth', *options)
    (tmp_path / 'broken.pth').write_bytes(b'PK\x03\x04 cut')
    assert 'broken.pth' in failure(run, capsys, tool, 'broken.pth', 'out.pth', *options)
    assert [path.name for path in tmp_path.iterdir()] == ['broken.pth']


@pytest.mark.parametrize('library', ['timm', 'torchvision'])
@pytest.mark.parametrize('family', ['resnet', 'swin', 'vit'])
def test_from_mm_proves_equal_features(family, library, run, tmp_path, capsys):
    torch.manual_seed(1)
    backbone = {
        'resnet': lambda: ResNet(depth=18),
        'swin': lambda: SwinTransformer(arch=SWIN, out_indices=(0, 1, 2, 3)),
        'vit': lambda: VisionTransformer(arch=VIT, img_size=32, patch_size=8),
    }[family]()
    for parameter in backbone.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    state = {f'backbone.{key}': value for key, value in backbone.state_dict().items()}
    torch.save({'state_dict': state}, tmp_path / 'ours.pth')

    run('from_mm', 'ours.pth', 'theirs.pth', '--to', library, '--verify')

    printed = capsys.readouterr().out
    difference = float(re.search(r'differ by (\S+) standard', printed)[1])
    assert difference < 1e-4
    assert ('norm0.weight' in printed) == (family == 'swin')
    exported = torch.load(tmp_path / 'theirs.pth', weights_only=True)
    assert not any(key.startswith('backbone.') for key in exported)


def test_timm_builds_its_model_from_the_export(run, resnet, tmp_path):
    run('from_mm', 'resnet18.pth', 'timm.pth', '--to', 'timm')
    model = timm.create_model('resnet18', num_classes=0, checkpoint_path='timm.pth')
    assert torch.equal(model.layer4[1].conv2.weight, resnet.layer4[1].conv2.weight)


def test_a_wrong_key_map_would_not_pass_verification(run, tmp_path, capsys, monkeypatch):
    """The proof has teeth: leave the patch merging in our order and the features differ."""
    from semcl_mm.checkpoint import exporting

    torch.manual_seed(1)
    backbone = SwinTransformer(arch=SWIN)
    torch.save(backbone.state_dict(), tmp_path / 'ours.pth')
    correct = exporting.from_ours

    def wrong(state, layout):
        renamed = correct(state, layout)
        for stage in range(3):
            key = f'.{stage}.downsample.reduction.weight'
            renamed.state[f'layers.{stage + 1}.downsample.reduction.weight'] = state[f'stages{key}']
        return renamed

    monkeypatch.setattr(exporting, 'from_ours', wrong)
    error = failure(run, capsys, 'from_mm', 'ours.pth', 'out.pth', '--to', 'timm', '--verify')
    assert 'computes other features' in error
    assert not (tmp_path / 'out.pth').exists()


def test_safetensors_hold_the_same_tensors_and_meta(run, resnet, tmp_path, capsys):
    run('to_mm', 'resnet18.pth', 'ours.pth')
    run('from_mm', 'ours.pth', 'ours.safetensors', '--to', 'safetensors', '--verify')
    assert 'read back: 120 tensors equal' in capsys.readouterr().out
    loaded = load_file(tmp_path / 'ours.safetensors')
    assert loaded['meta']['architecture'] == 'resnet18'
    assert load_backbone(ResNet(depth=18), tmp_path / 'ours.safetensors').complete
    failure(run, capsys, 'from_mm', 'ours.pth', 'ours.bin', '--to', 'safetensors')


def test_torchvision_has_no_deep_stem_and_says_so(run, tmp_path, capsys):
    backbone = ResNet(depth=18, deep_stem=True, avg_down=True)
    torch.save(backbone.state_dict(), tmp_path / 'ours.pth')
    error = failure(run, capsys, 'from_mm', 'ours.pth', 'out.pth', '--to', 'torchvision')
    assert 'torchvision has no counterpart' in error


def test_extract_serves_an_architecture_that_nobody_knows(run, tmp_path):
    state = {'backbone.hrnet.stage2.weight': torch.ones(2), 'head.weight': torch.zeros(1)}
    torch.save({'state_dict': state, 'optimizer': {'big': torch.zeros(9)}}, tmp_path / 'x.pth')
    run('extract_backbone_weights', 'x.pth', 'out.pth')
    extracted = load_file(tmp_path / 'out.pth')
    assert set(extracted['state_dict']) == {'backbone.hrnet.stage2.weight'}


def test_extract_takes_the_target_encoder(run, tmp_path):
    state = {'backbone.a.weight': torch.ones(2), 'target_backbone.a.weight': torch.zeros(2)}
    meta = {'run': {'config_hash': 'abc', 'seed': 3}}
    torch.save({'state_dict': state, 'meta': meta}, tmp_path / 'x.pth')
    run('extract_backbone_weights', 'x.pth', 'out.pth', '--key', 'target')
    extracted = load_file(tmp_path / 'out.pth')
    assert extracted['meta']['run'] == meta['run']
    assert extracted['meta']['config_hash'] == 'abc'
    assert extracted['state_dict']['backbone.a.weight'].tolist() == [0, 0]
    assert extracted['meta']['encoder'] == 'target'


def test_publish_strips_the_training_and_names_by_content(run, tmp_path, capsys):
    state = {'backbone.a': torch.ones(2), 'decode_head.b': torch.zeros(3)}
    meta = {'cfg': 'model = 1', 'iter': 30, 'run': {'config_hash': 'abc', 'seed': 3}}
    torch.save({'state_dict': state, 'optimizer': {'x': 1}, 'meta': meta}, tmp_path / 'x.pth')
    for target in ('out/upernet', 'again/upernet.pth'):
        run('publish_model', 'x.pth', target)
    names = {path.name for path in tmp_path.glob('*/*.pth')}
    assert len(names) == 1
    (name,) = names
    assert re.fullmatch(rf'upernet_\d{{8}}-{state_hash(state)[:8]}\.pth', name)
    published = load_file(tmp_path / 'out' / name)
    assert set(published) == {'state_dict', 'meta'}
    assert set(published['state_dict']) == set(state)
    assert published['meta']['iter'] == 30
    assert published['meta']['config_hash'] == 'abc'


def test_the_hash_sees_names_shapes_and_values():
    base = {'a': torch.arange(4.0)}
    others = [
        {'b': torch.arange(4.0)},
        {'a': torch.arange(4.0).reshape(2, 2)},
        {'a': torch.arange(4.0) + 1e-6},
        {'a': torch.arange(4.0).half()},
    ]
    assert len({state_hash(state) for state in [base, *others]}) == 5
    assert state_hash({'a': torch.arange(8.0)[:4]}) == state_hash(base)
