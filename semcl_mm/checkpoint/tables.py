"""The renames of each foreign layout: its name on the left, mmpretrain's on the right.

``{L}`` is the index of the last stage, bound by the caller.
"""

import torch

from semcl_mm.checkpoint.renaming import Rename, rename


def merge_to_unfold(tensor: torch.Tensor) -> torch.Tensor:
    """Reorders the input channels of a patch merging from slices to ``nn.Unfold``.

    The original Swin Transformer concatenates the four pixels of a 2 × 2 patch as whole slices,
    column by column: input channel ``(2w + h) C + c``. mmpretrain unfolds, which puts the channel
    first: ``4c + 2h + w``.

    Args:
        tensor: (out, 4C) weight of the reduction or (4C,) weight or bias of its norm.

    Returns:
        The same numbers in mmpretrain's order, same shape.
    """
    *rows, columns = tensor.shape
    grid = tensor.reshape(*rows, 2, 2, columns // 4)  # w, h, c
    return grid.transpose(-1, -3).reshape(tensor.shape)  # c, h, w


def unfold_to_merge(tensor: torch.Tensor) -> torch.Tensor:
    """The inverse of :func:`merge_to_unfold`."""
    *rows, columns = tensor.shape
    grid = tensor.reshape(*rows, columns // 4, 2, 2)  # c, h, w
    return grid.transpose(-1, -3).reshape(tensor.shape)  # w, h, c


def _merging(theirs: str) -> tuple[Rename, ...]:
    """The patch merging behind stage ``i``: all of its tensors have 4C input channels."""
    ours = 'stages.{i}.downsample.{rest}'
    return (rename(theirs, ours, merge_to_unfold, unfold_to_merge),)


def _swin_blocks(block: str, fc1: str, fc2: str) -> tuple[Rename, ...]:
    ours = 'stages.{i}.blocks.{j}.'
    return (
        rename(block + 'norm1.{rest}', ours + 'norm1.{rest}'),
        rename(block + 'attn.{rest}', ours + 'attn.w_msa.{rest}'),
        rename(block + 'norm2.{rest}', ours + 'norm2.{rest}'),
        rename(block + fc1 + '.{rest}', ours + 'ffn.layers.0.0.{rest}'),
        rename(block + fc2 + '.{rest}', ours + 'ffn.layers.1.{rest}'),
    )


def flattened(renames: tuple[Rename, ...]) -> tuple[Rename, ...]:
    """The names after timm's ``features_only``, which lifts stages: ``layers.0`` → ``layers_0``."""
    result = []
    for rule in renames:
        text = rule.theirs.text
        for lifted in ('layers', 'stages', 'stem'):
            text = text.replace(f'{lifted}.', f'{lifted}_', 1) if text.startswith(lifted) else text
        result.append(rename(text, rule.ours.text, rule.to_ours, rule.to_theirs))
    return tuple(result)


_SWIN_ENDS = (
    rename('absolute_pos_embed', 'absolute_pos_embed'),
    rename('patch_embed.proj.{rest}', 'patch_embed.projection.{rest}'),
    rename('patch_embed.norm.{rest}', 'patch_embed.norm.{rest}'),
    rename('norm.{rest}', 'norm{L}.{rest}'),
)
_SWIN_LAYERS = _swin_blocks('layers.{i}.blocks.{j}.', 'mlp.fc1', 'mlp.fc2')

SWIN_OFFICIAL = (*_SWIN_ENDS, *_SWIN_LAYERS, *_merging('layers.{i}.downsample.{rest}'))
# timm ≥ 0.9 merges at the start of a stage, the original at the end of the one before.
SWIN_TIMM = (*_SWIN_ENDS, *_SWIN_LAYERS, *_merging('layers.{i+1}.downsample.{rest}'))
SWIN_TORCHVISION = (
    rename('features.0.0.{rest}', 'patch_embed.projection.{rest}'),
    rename('features.0.2.{rest}', 'patch_embed.norm.{rest}'),
    rename('norm.{rest}', 'norm{L}.{rest}'),
    *_swin_blocks('features.{2i+1}.{j}.', 'mlp.0', 'mlp.3'),
    *_merging('features.{2i+2}.{rest}'),
)

VIT_TIMM = (
    rename('cls_token', 'cls_token'),
    rename('dist_token', 'dist_token'),
    rename('pos_embed', 'pos_embed'),
    rename('patch_embed.proj.{rest}', 'patch_embed.projection.{rest}'),
    rename('norm_pre.{rest}', 'pre_norm.{rest}'),
    rename('blocks.{i}.norm1.{rest}', 'layers.{i}.ln1.{rest}'),
    rename('blocks.{i}.attn.{rest}', 'layers.{i}.attn.{rest}'),
    rename('blocks.{i}.ls1.gamma', 'layers.{i}.attn.gamma1.weight'),
    rename('blocks.{i}.norm2.{rest}', 'layers.{i}.ln2.{rest}'),
    rename('blocks.{i}.mlp.fc1.{rest}', 'layers.{i}.ffn.layers.0.0.{rest}'),
    rename('blocks.{i}.mlp.fc2.{rest}', 'layers.{i}.ffn.layers.1.{rest}'),
    rename('blocks.{i}.ls2.gamma', 'layers.{i}.ffn.gamma2.weight'),
    rename('norm.{rest}', 'ln1.{rest}'),
    rename('fc_norm.{rest}', 'ln2.{rest}'),
)
VIT_TORCHVISION = (
    rename('class_token', 'cls_token'),
    rename('encoder.pos_embedding', 'pos_embed'),
    rename('conv_proj.{rest}', 'patch_embed.projection.{rest}'),
    rename('encoder.ln.{rest}', 'ln1.{rest}'),
    *(
        rename('encoder.layers.encoder_layer_{i}.' + theirs, 'layers.{i}.' + ours)
        for theirs, ours in (
            ('ln_1.{rest}', 'ln1.{rest}'),
            ('self_attention.in_proj_weight', 'attn.qkv.weight'),
            ('self_attention.in_proj_bias', 'attn.qkv.bias'),
            ('self_attention.out_proj.{rest}', 'attn.proj.{rest}'),
            ('ln_2.{rest}', 'ln2.{rest}'),
            ('mlp.0.{rest}', 'ffn.layers.0.0.{rest}'),
            ('mlp.3.{rest}', 'ffn.layers.1.{rest}'),
        )
    ),
)
VIT_MMSEG = (
    rename('layers.{i}.attn.attn.in_proj_weight', 'layers.{i}.attn.qkv.weight'),
    rename('layers.{i}.attn.attn.in_proj_bias', 'layers.{i}.attn.qkv.bias'),
    rename('layers.{i}.attn.attn.out_proj.{rest}', 'layers.{i}.attn.proj.{rest}'),
    rename('{rest}', '{rest}'),
)

_STAGE = 'stages.{i}.{j}.'
_CONVNEXT_OFFICIAL_NAMES = (
    ('gamma', 'gamma'),
    ('dwconv.{rest}', 'depthwise_conv.{rest}'),
    ('norm.{rest}', 'norm.{rest}'),
    ('pwconv1.{rest}', 'pointwise_conv1.{rest}'),
    ('pwconv2.{rest}', 'pointwise_conv2.{rest}'),
)
CONVNEXT_OFFICIAL = (
    rename('downsample_layers.{rest}', 'downsample_layers.{rest}'),
    *(rename(_STAGE + theirs, _STAGE + ours) for theirs, ours in _CONVNEXT_OFFICIAL_NAMES),
    rename('norm.{rest}', 'norm{L}.{rest}'),
)
_CONVNEXT_TIMM_NAMES = (
    ('gamma', 'gamma'),
    ('conv_dw.{rest}', 'depthwise_conv.{rest}'),
    ('norm.{rest}', 'norm.{rest}'),
    ('mlp.fc1.{rest}', 'pointwise_conv1.{rest}'),
    ('mlp.fc2.{rest}', 'pointwise_conv2.{rest}'),
)
CONVNEXT_TIMM = (
    rename('stem.0.{rest}', 'downsample_layers.0.0.{rest}'),
    rename('stem.1.{rest}', 'downsample_layers.0.1.{rest}'),
    rename('stages.{i+1}.downsample.{j}.{rest}', 'downsample_layers.{i+1}.{j}.{rest}'),
    *(
        rename('stages.{i}.blocks.{j}.' + theirs, _STAGE + ours)
        for theirs, ours in _CONVNEXT_TIMM_NAMES
    ),
    rename('head.norm.{rest}', 'norm{L}.{rest}'),
)

_BLOCKS = rename('layer{i}.{rest}', 'layer{i}.{rest}')
RESNET_DEEP_TIMM = (
    rename('conv1.0.{rest}', 'stem.0.conv.{rest}'),
    rename('conv1.1.{rest}', 'stem.0.bn.{rest}'),
    rename('conv1.3.{rest}', 'stem.1.conv.{rest}'),
    rename('conv1.4.{rest}', 'stem.1.bn.{rest}'),
    rename('conv1.6.{rest}', 'stem.2.conv.{rest}'),
    rename('bn1.{rest}', 'stem.2.bn.{rest}'),
    _BLOCKS,
)
RESNET_DEEP_MMSEG = (
    rename('stem.{3i}.{rest}', 'stem.{i}.conv.{rest}'),
    rename('stem.{3i+1}.{rest}', 'stem.{i}.bn.{rest}'),
    _BLOCKS,
)
