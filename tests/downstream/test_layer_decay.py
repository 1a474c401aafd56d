"""Plain ViTs downstream: learning rates by depth, positions for another size, the pyramid."""

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS
from mmpretrain.models import VisionTransformer
from torch import nn
from torch.optim import AdamW

from semcl_mm.checkpoint import load_backbone, save_checkpoint
from semcl_mm.downstream import LayerDecayOptimWrapperConstructor, LayeredEncoderDecoder, LinearHead

LAYERS, DECAY, LR = 3, 0.5, 0.8
ARCH = dict(embed_dims=16, num_layers=LAYERS, num_heads=2, feedforward_channels=32)


def vit(size: int, **options) -> VisionTransformer:
    backbone = VisionTransformer(
        arch=ARCH, img_size=size, patch_size=8, out_indices=[LAYERS - 1], **options
    )
    backbone.eval()  # returns None in mmpretrain
    return backbone


def tiny_segmentor() -> LayeredEncoderDecoder:
    return LayeredEncoderDecoder(
        backbone=dict(
            type='mmpretrain.VisionTransformer',
            arch=ARCH,
            img_size=32,
            patch_size=8,
            out_type='featmap',
            out_indices=[LAYERS - 1],
        ),
        decode_head=dict(type=LinearHead, in_channels=16, in_index=0, num_classes=3),
    )


def test_every_parameter_has_the_learning_rate_of_its_depth():
    """Embeddings below block 1 … block L below the head, each a factor from the next."""
    model = tiny_segmentor()
    settings = dict(optimizer=dict(type=AdamW, lr=LR, weight_decay=0.1))
    paramwise = dict(
        layer_decay_rate=DECAY,
        norm_decay_mult=0.0,
        bias_decay_mult=0.0,
        custom_keys={'pos_embed': dict(decay_mult=0.0), 'cls_token': dict(decay_mult=0.0)},
    )
    optimizer = LayerDecayOptimWrapperConstructor(settings, paramwise)(model).optimizer
    found = {
        id(parameter): (group['lr'], group['weight_decay'])
        for group in optimizer.param_groups
        for parameter in group['params']
    }
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        part = name.removeprefix('backbone.').split('.')
        if name.startswith('decode_head') or part[0] == 'ln1':
            below_the_head = 0
        elif part[0] == 'layers':
            below_the_head = LAYERS - int(part[1])
        else:
            assert part[0] in ('cls_token', 'pos_embed', 'patch_embed')
            below_the_head = LAYERS + 1
        decayed = 0.1 if parameter.dim() > 1 and part[0] not in ('cls_token', 'pos_embed') else 0.0
        expected = pytest.approx((LR * DECAY**below_the_head, decayed))
        assert found.pop(id(parameter)) == expected, name
    assert not found
    assert len(optimizer.param_groups) <= 2 * (LAYERS + 2)  # foreach works on groups


def test_a_backbone_that_tells_no_depth_is_named():
    model = tiny_segmentor()
    model.backbone = nn.Linear(2, 2)
    with pytest.raises(ValueError, match='Linear has no get_layer_depth'):
        LayerDecayOptimWrapperConstructor(
            dict(optimizer=dict(type=AdamW, lr=LR)), dict(layer_decay_rate=DECAY)
        )(model)


def test_a_small_checkpoint_loaded_at_a_larger_size_computes_what_bicubic_positions_give(tmp_path):
    """A ViT for 32 x 32 that is fed 72 x 72 interpolates its positions itself, bicubically."""
    torch.manual_seed(0)
    small = vit(32, out_type='raw')
    for parameter in small.parameters():
        nn.init.normal_(parameter, std=0.2)
    state = {f'backbone.{key}': value for key, value in small.state_dict().items()}
    save_checkpoint({'state_dict': state, 'meta': {}}, tmp_path / 'small.pth')
    large = vit(72, out_type='featmap')
    report = load_backbone(large, tmp_path / 'small.pth')
    assert report.resized == {'pos_embed': ((1, 17, 16), (1, 82, 16))}
    images = torch.randn(2, 3, 72, 72)
    with torch.no_grad():
        expected = small(images)[0][:, 1:].transpose(1, 2).unflatten(2, (9, 9))
        torch.testing.assert_close(large(images)[0], expected)


def test_the_pyramid_has_strides_4_to_32_of_the_blocks_it_names(repository):
    cfg = Config.fromfile(repository / 'configs/segmentation/upernet_vit-ti_ade20k.py')
    model = MODELS.build(cfg.model).eval()
    assert model.backbone.out_indices == [3, 5, 7, 11]
    model.backbone.layers = model.backbone.layers[:1]  # the shapes need no more
    model.backbone.out_indices = [0]
    with torch.no_grad():
        (tokens,) = model.backbone(torch.randn(1, 3, 64, 64))
        levels = model.neck([tokens] * 4)
    assert [tuple(level.shape[1:]) for level in levels] == [
        (192, 64 // stride, 64 // stride) for stride in (4, 8, 16, 32)
    ]
