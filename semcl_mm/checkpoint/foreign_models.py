"""timm's and torchvision's networks of given dimensions, and their features before the head."""

import torch
from torch import nn

from semcl_mm.checkpoint.architecture import Architecture
from semcl_mm.checkpoint.errors import CheckpointError


def build_foreign(architecture: Architecture, library: str) -> nn.Module:
    """The other library's network of these dimensions, without classifier.

    Raises:
        CheckpointError: If the library cannot build it.
    """
    try:
        builder = _BUILDERS[library, architecture.family]
    except KeyError:
        raise CheckpointError(f'{library} has no {architecture.family}') from None
    return builder(architecture)


def foreign_features(model: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """The last features of a timm or torchvision model as mmpretrain's class returns them.

    Args:
        model: Without classifier, in eval mode.
        images: (N, 3, H, W).

    Returns:
        (N, C, H', W') for ResNet and Swin, (N, 1 + L, C) for ViT, (N, C) for ConvNeXt.
    """
    import torchvision

    if isinstance(model, torchvision.models.ResNet):
        return nn.Sequential(*list(model.children())[:-2])(images)
    if isinstance(model, torchvision.models.SwinTransformer):
        return model.norm(model.features(images)).permute(0, 3, 1, 2)
    if isinstance(model, torchvision.models.VisionTransformer):
        patches = model._process_input(images)
        tokens = torch.cat([model.class_token.expand(len(patches), -1, -1), patches], dim=1)
        return model.encoder(tokens)
    features = model.forward_features(images)
    name = type(model).__name__
    if name == 'ConvNeXt':
        return model.forward_head(features, pre_logits=True)
    return features.permute(0, 3, 1, 2) if name == 'SwinTransformer' else features


def _resnet_blocks(settings: dict) -> tuple[bool, tuple[int, ...], int, float]:
    """Whether bottleneck, blocks per stage, groups, and base width at 64 channels per stage."""
    from mmpretrain.models import ResNet

    block, counts = ResNet.arch_settings[settings['depth']]
    counts = counts[: settings['num_stages']]
    if len(counts) < 4:
        raise CheckpointError(f'a ResNet of {len(counts)} stages cannot be exported')
    bottleneck = block.__name__ == 'Bottleneck'
    if 'groups' in settings:
        return bottleneck, counts, settings['groups'], settings['width_per_group']
    out = settings['base_channels'] * settings['expansion']
    if out != (256 if bottleneck else 64):
        raise CheckpointError(f'a ResNet whose first stage has {out} channels cannot be exported')
    return bottleneck, counts, 1, settings['base_channels']


def _timm_resnet(architecture: Architecture) -> nn.Module:
    from timm.models.resnet import BasicBlock, Bottleneck, ResNet

    settings = architecture.settings
    bottleneck, counts, groups, width = _resnet_blocks(settings)
    return ResNet(
        Bottleneck if bottleneck else BasicBlock,
        counts,
        num_classes=0,
        cardinality=groups,
        base_width=width,
        stem_type='deep' if settings['deep_stem'] else '',
        stem_width=settings['stem_channels'] // 2,
        avg_down=settings['avg_down'],
    )


def _torchvision_resnet(architecture: Architecture) -> nn.Module:
    from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

    settings = architecture.settings
    bottleneck, counts, groups, width = _resnet_blocks(settings)
    block = Bottleneck if bottleneck else BasicBlock
    model = ResNet(block, list(counts), groups=groups, width_per_group=width)
    return _headless(model, 'fc')


def _timm_swin(architecture: Architecture) -> nn.Module:
    from timm.models.swin_transformer import SwinTransformer

    settings = architecture.settings
    if settings['use_abs_pos_embed']:
        raise CheckpointError('timm has no Swin Transformer with an absolute position embedding')
    arch = settings['arch']
    return SwinTransformer(
        img_size=settings['img_size'],
        patch_size=settings['patch_size'],
        embed_dim=arch['embed_dims'],
        depths=tuple(arch['depths']),
        num_heads=tuple(arch['num_heads']),
        window_size=settings['window_size'],
        num_classes=0,
    )


def _torchvision_swin(architecture: Architecture) -> nn.Module:
    from torchvision.models import SwinTransformer

    settings = architecture.settings
    if settings['use_abs_pos_embed']:
        raise CheckpointError('torchvision has no Swin with an absolute position embedding')
    arch = settings['arch']
    return _headless(
        SwinTransformer(
            [settings['patch_size']] * 2,
            arch['embed_dims'],
            arch['depths'],
            arch['num_heads'],
            [settings['window_size']] * 2,
        ),
        'head',
    )


def _timm_vit(architecture: Architecture) -> nn.Module:
    from timm.models.deit import VisionTransformerDistilled
    from timm.models.vision_transformer import VisionTransformer

    settings = architecture.settings
    arch = settings['arch']
    distilled = architecture.cls == 'DistilledVisionTransformer'
    return (VisionTransformerDistilled if distilled else VisionTransformer)(
        img_size=settings['img_size'],
        patch_size=settings['patch_size'],
        embed_dim=arch['embed_dims'],
        depth=arch['num_layers'],
        num_heads=arch['num_heads'],
        mlp_ratio=arch['feedforward_channels'] / arch['embed_dims'],
        qkv_bias=settings['qkv_bias'],
        init_values=settings['layer_scale_init_value'] or None,
        class_token=settings['with_cls_token'],
        pre_norm=settings['pre_norm'],
        global_pool='token' if settings['with_cls_token'] else 'avg',
        fc_norm=False,
        num_classes=0,
    )


def _torchvision_vit(architecture: Architecture) -> nn.Module:
    from torchvision.models import VisionTransformer

    settings = architecture.settings
    if settings['pre_norm'] or settings['layer_scale_init_value'] or not settings['qkv_bias']:
        raise CheckpointError('torchvision has plain ViTs only')
    arch = settings['arch']
    return _headless(
        VisionTransformer(
            settings['img_size'],
            settings['patch_size'],
            arch['num_layers'],
            arch['num_heads'],
            arch['embed_dims'],
            arch['feedforward_channels'],
        ),
        'heads',
    )


def _timm_convnext(architecture: Architecture) -> nn.Module:
    from timm.models.convnext import ConvNeXt

    settings = architecture.settings
    arch = settings['arch']
    return ConvNeXt(
        depths=tuple(arch['depths']),
        dims=tuple(arch['channels']),
        ls_init_value=settings['layer_scale_init_value'] or None,
        conv_mlp=not settings['linear_pw_conv'],
        num_classes=0,
    )


def _headless(model: nn.Module, name: str) -> nn.Module:
    setattr(model, name, nn.Identity())
    return model


_BUILDERS = {
    ('timm', 'resnet'): _timm_resnet,
    ('timm', 'swin'): _timm_swin,
    ('timm', 'vit'): _timm_vit,
    ('timm', 'convnext'): _timm_convnext,
    ('torchvision', 'resnet'): _torchvision_resnet,
    ('torchvision', 'swin'): _torchvision_swin,
    ('torchvision', 'vit'): _torchvision_vit,
}
