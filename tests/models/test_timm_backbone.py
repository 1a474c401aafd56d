"""timm models give timm's features under timm's names."""

import pytest
import timm
import torch

from semcl_mm.models import TimmBackbone
from semcl_mm.registry import MODELS


@pytest.mark.parametrize(
    ('name', 'channels', 'strides', 'options'),
    [
        ('resnet18', [64, 128, 256, 512], [4, 8, 16, 32], {}),
        ('convnext_atto', [40, 80, 160, 320], [4, 8, 16, 32], {}),
        ('swin_tiny_patch4_window7_224', [96, 192, 384, 768], [4, 8, 16, 32], {}),
        ('vit_tiny_patch16_224', [192] * 4, [16] * 4, dict(depth=4)),
        ('efficientnet_b0', [24, 40, 112, 320], [4, 8, 16, 32], {}),
    ],
)
def test_the_pyramid_is_what_the_attributes_say(name, channels, strides, options):
    backbone = TimmBackbone(name, **options)
    maps = backbone(torch.randn(2, 3, 64, 96))  # any size
    assert backbone.out_channels == channels == [level.shape[1] for level in maps]
    assert backbone.out_strides == strides
    for stride, level in zip(strides, maps, strict=True):
        assert level.shape[2:] == (64 // stride, 96 // stride)


@pytest.mark.parametrize(
    ('name', 'options'),
    [
        ('convnext_atto', {}),
        ('swin_tiny_patch4_window7_224', {}),
        ('vit_tiny_patch16_224', dict(depth=2)),
        ('hrnet_w18_small', {}),
    ],
)
def test_every_trained_parameter_gets_a_gradient(name, options):
    backbone = TimmBackbone(name, **options)
    sum(level.mean() for level in backbone(torch.randn(2, 3, 64, 64))).backward()
    names = [n for n, p in backbone.named_parameters() if p.requires_grad and p.grad is None]
    assert names == []


@pytest.mark.parametrize('name', ['swin_tiny_patch4_window7_224', 'resnet18'])
def test_weights_and_last_map_are_timms(name):
    whole = timm.create_model(name).eval()
    backbone = TimmBackbone(name, out_indices=(-1,)).eval()
    keys = {key.removeprefix('timm_model.') for key in backbone.state_dict()}
    assert keys <= whole.state_dict().keys()
    features = {k: v for k, v in whole.state_dict().items() if k in keys}
    assert whole.state_dict().keys() - keys <= {
        key for key in whole.state_dict() if key.startswith(('head.', 'fc.'))
    }
    backbone.timm_model.load_state_dict(features)
    images = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        expected = whole.forward_features(images)
        (last,) = backbone(images)
    if expected.shape != last.shape:
        expected = expected.permute(0, 3, 1, 2)  # timm's Swin is channels-last
    torch.testing.assert_close(last, expected)


def test_it_is_built_from_a_config_by_name():
    backbone = MODELS.build(dict(type='TimmBackbone', model_name='resnet18', out_indices=(-1,)))
    assert isinstance(backbone, TimmBackbone)
    weights = backbone.timm_model.conv1.weight.clone()
    backbone.init_weights()
    assert torch.equal(backbone.timm_model.conv1.weight, weights)


def test_an_unknown_model_or_output_is_named():
    with pytest.raises(ValueError, match="knows no model 'resnet18x'"):
        TimmBackbone('resnet18x')
    with pytest.raises(ValueError, match=r'out_indices=\(7,\).*5 outputs'):
        TimmBackbone('resnet18', out_indices=(7,))
