"""What every momentum method inherits: copy, average, frozen stem."""

import pytest
import torch
from mmpretrain.models import ResNet, SwinTransformer
from tiny_networks import random_views, tiny_semcl
from torch import nn

from semcl_mm.models import TimmBackbone
from semcl_mm.models.stem import freeze_stem

TINY_SWIN = dict(embed_dims=8, depths=[1], num_heads=[1])


def test_the_target_is_the_moving_average_of_the_parameters_alone():
    model = tiny_semcl()
    for parameter in model.backbone.parameters():
        parameter.data.normal_()
    model.loss(random_views())
    before = {key: value.clone() for key, value in model.state_dict().items()}
    model.update_target(0.9)
    after = model.state_dict()
    names = dict(model.named_parameters())
    for key in before:
        online = key.removeprefix('target_')
        if key.startswith('target_') and key in names:
            expected = 0.9 * before[key] + 0.1 * before[online]
            torch.testing.assert_close(after[key], expected, msg=key)
        else:
            assert torch.equal(after[key], before[key]), key


@pytest.mark.parametrize(('momentum', 'source'), [(0, 'online'), (1, 'target')])
def test_momentum_zero_copies_and_one_keeps(momentum, source):
    model = tiny_semcl()
    for target, online in model.parameter_pairs():
        online.data.fill_(1.0)
        target.data.fill_(2.0)
    model.update_target(momentum)
    wanted = 1.0 if source == 'online' else 2.0
    assert all((target == wanted).all() for target, _ in model.parameter_pairs())


def test_a_momentum_beyond_one_is_an_error():
    with pytest.raises(ValueError, match=r'momentum must be in \[0, 1\], got 1.5'):
        tiny_semcl().update_target(1.5)


def test_after_initialisation_the_target_equals_the_online_encoder():
    backbone = ResNet(18, out_indices=(3,))
    model = tiny_semcl(backbone=backbone)
    model.target_backbone.conv1.weight.data.zero_()
    model.init_weights()
    for target, online in model.parameter_pairs():
        assert torch.equal(target, online)
    model.backbone.bn1.running_mean.fill_(3.0)
    model.reset_target()
    assert (model.target_backbone.bn1.running_mean == 3).all()


def test_the_target_stays_in_training_mode():
    model = tiny_semcl()
    model.eval()
    model.train()
    assert model.target_backbone.norm1.training
    assert model.target_projector.training


@pytest.mark.parametrize(
    ('backbone', 'frozen'),
    [
        (lambda: ResNet(18), ['conv1.weight']),
        (
            lambda: SwinTransformer(
                dict(embed_dims=8, depths=[1], num_heads=[1]), out_indices=(0,)
            ),
            ['patch_embed.projection.bias', 'patch_embed.projection.weight'],
        ),
        (
            lambda: TimmBackbone('vit_tiny_patch16_224', depth=1, out_indices=(-1,)),
            ['timm_model.patch_embed.proj.bias', 'timm_model.patch_embed.proj.weight'],
        ),
        (lambda: TimmBackbone('resnet18', out_indices=(-1,)), ['timm_model.conv1.weight']),
    ],
    ids=['resnet', 'swin', 'timm-vit', 'timm-resnet'],
)
def test_the_stem_of_each_family_is_frozen_and_nothing_else(backbone, frozen):
    backbone = backbone()
    freeze_stem(backbone)
    assert sorted(n for n, p in backbone.named_parameters() if not p.requires_grad) == frozen


def test_a_frozen_stem_does_not_move():
    model = tiny_semcl(stop_grad_conv1=True)
    before = model.backbone.conv1.weight.clone()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0, weight_decay=0.1)
    model.loss(random_views())['loss'].backward()
    optimizer.step()
    assert torch.equal(model.backbone.conv1.weight, before)
    assert model.backbone.norm1.weight.grad is not None


def test_a_backbone_with_an_unknown_stem_is_an_error():
    with pytest.raises(ValueError, match='no first convolution found in Sequential'):
        freeze_stem(nn.Sequential(nn.Conv2d(3, 4, 3)))


def test_batch_views_has_three_values():
    with pytest.raises(ValueError, match="'auto', True or False, got 'always'"):
        tiny_semcl(batch_views='always')
