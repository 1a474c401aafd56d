"""Which network a state dict belongs to, read from the shapes of its tensors."""

import math
import re
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from semcl_mm.checkpoint.errors import CheckpointError
from semcl_mm.checkpoint.layouts import detect_layout, shortcut_positions
from semcl_mm.checkpoint.renaming import State

_RESNET_DEPTHS = {
    (False, (2, 2, 2, 2)): 18,
    (False, (3, 4, 6, 3)): 34,
    (True, (3, 4, 6, 3)): 50,
    (True, (3, 4, 23, 3)): 101,
    (True, (3, 8, 36, 3)): 152,
}
_SWIN_NAMES = {
    (96, (2, 2, 6, 2)): 'swin-tiny',
    (96, (2, 2, 18, 2)): 'swin-small',
    (128, (2, 2, 18, 2)): 'swin-base',
    (192, (2, 2, 18, 2)): 'swin-large',
}
_VIT_NAMES = {
    (192, 12): 'vit-tiny',
    (384, 12): 'vit-small',
    (768, 12): 'vit-base',
    (1024, 24): 'vit-large',
    (1280, 32): 'vit-huge',
}
_CONVNEXT_NAMES = {
    (96, (3, 3, 9, 3)): 'convnext-tiny',
    (96, (3, 3, 27, 3)): 'convnext-small',
    (128, (3, 3, 27, 3)): 'convnext-base',
    (192, (3, 3, 27, 3)): 'convnext-large',
    (256, (3, 3, 27, 3)): 'convnext-xlarge',
}
_HEAD_CHANNELS = 64  # of every published ViT; the shapes do not tell


@dataclass(frozen=True)
class Architecture:
    """A network by its dimensions.

    Args:
        family: ``resnet``, ``swin``, ``vit`` or ``convnext``.
        name: The usual name, ``swin-tiny`` for example, or ``custom <family>``.
        cls: Name of mmpretrain's class.
        settings: Its arguments.
        input_size: An input, in pixels per side, that needs no padding and no interpolation.
    """

    family: str
    name: str
    cls: str
    settings: dict[str, Any] = field(default_factory=dict)
    input_size: int = 224

    def build(self) -> nn.Module:
        """mmpretrain's backbone of these dimensions, its last stage as output."""
        import mmpretrain.models

        return getattr(mmpretrain.models, self.cls)(**self.settings)


def infer_architecture(state: State) -> Architecture:
    """Reads the dimensions of a network.

    Args:
        state: A backbone under mmpretrain's names, without prefix.

    Returns:
        The architecture. The number of attention heads of a ViT cannot be seen in its shapes:
        heads of 64 channels are assumed.

    Raises:
        CheckpointError: If the names or the dimensions belong to no known family.
    """
    family = detect_layout(state).family
    readers = {'resnet': _resnet, 'swin': _swin, 'vit': _vit, 'convnext': _convnext}
    if family not in readers:
        shown = ', '.join(list(state)[:4])
        raise CheckpointError(
            f'cannot tell the architecture from keys like {shown}; '
            f'known are {", ".join(sorted(readers))}'
        )
    try:
        return readers[family](state)
    except KeyError as error:
        raise CheckpointError(f'not a whole {family}: {error} is missing') from None


def normalised_name(name: str) -> str:
    """A spelling for comparisons: ``ResNet50``, ``resnet-50`` and ``resnet_50`` are one."""
    return re.sub(r'[^a-z0-9]', '', name.lower())


def _count(state: State, pattern: str) -> int:
    """One more than the largest number that the pattern's group takes."""
    found = (re.match(pattern, key) for key in state)
    return max((int(match[1]) + 1 for match in found if match), default=0)


def _normed_outputs(state: State, stages: int) -> tuple[int, ...]:
    """The stages behind which there is a norm; the last one in any case."""
    return tuple(i for i in range(stages) if f'norm{i}.weight' in state or i == stages - 1)


def _resnet(state: State) -> Architecture:
    stages = _count(state, r'layer(\d)\.') - 1
    blocks = tuple(_count(state, rf'layer{i + 1}\.(\d+)\.') for i in range(stages))
    bottleneck = 'layer1.0.conv3.weight' in state
    depths = {key: depth for key, depth in _RESNET_DEPTHS.items() if key[1][:stages] == blocks}
    depth = next((depth for key, depth in depths.items() if key[0] == bottleneck), None)
    if depth is None:
        raise CheckpointError(f'no ResNet has {blocks} blocks')
    deep = 'stem.0.conv.weight' in state
    pooled = shortcut_positions(state).get('layer2.0') == 1
    middle = state['layer1.0.conv2.weight']
    width, groups = middle.shape[0], middle.shape[0] // middle.shape[1]
    out = state[f'layer1.0.conv{3 if bottleneck else 2}.weight'].shape[0]
    stem = state['stem.2.conv.weight' if deep else 'conv1.weight'].shape[0]
    settings: dict[str, Any] = {
        'depth': depth,
        'num_stages': stages,
        'strides': (1, 2, 2, 2)[:stages],
        'dilations': (1,) * stages,
        'out_indices': (stages - 1,),
        'stem_channels': stem,
        'deep_stem': deep,
        'avg_down': pooled,
    }
    name = f'resnet{depth}' + {(1, 1): '-d', (1, 0): '-c'}.get((deep, pooled), '')
    if groups > 1:
        settings |= {'groups': groups, 'width_per_group': width // groups}
        name = name.replace('resnet', 'resnext') + f'-{groups}x{width // groups}d'
    else:
        settings |= {'base_channels': width, 'expansion': out // width}
        if (stem, width, out) != (64, 64, 256 if bottleneck else 64):
            name = f'custom {name}'
    return Architecture('resnet', name, 'ResNeXt' if groups > 1 else 'ResNet', settings, 64)


def _swin(state: State) -> Architecture:
    stages = _count(state, r'stages\.(\d+)\.')
    depths = [_count(state, rf'stages\.{i}\.blocks\.(\d+)\.') for i in range(stages)]
    tables = [
        state[f'stages.{i}.blocks.0.attn.w_msa.relative_position_bias_table'].shape
        for i in range(stages)
    ]
    windows = {(math.isqrt(length) + 1) // 2 for length, _ in tables}
    if len(windows) > 1:
        raise CheckpointError(f'stages with windows of different sizes: {sorted(windows)}')
    dims, _, _, patch = state['patch_embed.projection.weight'].shape
    window = windows.pop()
    input_size = window * patch * 2 ** (stages - 1)
    settings = {
        'arch': {'embed_dims': dims, 'depths': depths, 'num_heads': [heads for _, heads in tables]},
        'img_size': input_size,
        'patch_size': patch,
        'window_size': window,
        'out_indices': _normed_outputs(state, stages),
        'use_abs_pos_embed': 'absolute_pos_embed' in state,
        'drop_path_rate': 0.0,
    }
    name = _SWIN_NAMES.get((dims, tuple(depths)), 'custom swin')
    return Architecture('swin', name, 'SwinTransformer', settings, input_size)


def _vit(state: State) -> Architecture:
    depth = _count(state, r'layers\.(\d+)\.')
    dims, _, _, patch = state['patch_embed.projection.weight'].shape
    extra = ('cls_token' in state) + ('dist_token' in state)
    patches = state['pos_embed'].shape[1] - extra
    side = math.isqrt(patches)
    if side**2 != patches or dims % _HEAD_CHANNELS:
        raise CheckpointError(
            f'a ViT of {dims} channels on {patches} patches: only square images and heads of '
            f'{_HEAD_CHANNELS} channels can be read from the shapes'
        )
    settings = {
        'arch': {
            'embed_dims': dims,
            'num_layers': depth,
            'num_heads': dims // _HEAD_CHANNELS,
            'feedforward_channels': state['layers.0.ffn.layers.0.0.weight'].shape[0],
        },
        'img_size': side * patch,
        'patch_size': patch,
        'out_type': 'raw',
        'with_cls_token': 'cls_token' in state,
        'qkv_bias': 'layers.0.attn.qkv.bias' in state,
        'pre_norm': 'pre_norm.weight' in state,
        'final_norm': 'ln1.weight' in state,
        'layer_scale_init_value': 1e-5 if 'layers.0.attn.gamma1.weight' in state else 0.0,
    }
    cls = 'DistilledVisionTransformer' if 'dist_token' in state else 'VisionTransformer'
    name = _VIT_NAMES.get((dims, depth), 'custom vit')
    return Architecture('vit', name, cls, settings, side * patch)


def _convnext(state: State) -> Architecture:
    stages = _count(state, r'stages\.(\d+)\.')
    depths = [_count(state, rf'stages\.{i}\.(\d+)\.') for i in range(stages)]
    channels = [state[f'stages.{i}.0.depthwise_conv.weight'].shape[0] for i in range(stages)]
    settings = {
        'arch': {'depths': depths, 'channels': channels},
        'out_indices': _normed_outputs(state, stages),
        'layer_scale_init_value': 1e-6 if 'stages.0.0.gamma' in state else 0.0,
        'linear_pw_conv': state['stages.0.0.pointwise_conv1.weight'].ndim == 2,
    }
    name = _CONVNEXT_NAMES.get((channels[0], tuple(depths)), 'custom convnext')
    return Architecture('convnext', name, 'ConvNeXt', settings, 64)
