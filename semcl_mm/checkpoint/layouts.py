"""How each library names the tensors of the same network.

mmpretrain's names are the common ground: every other layout is a table of renames to them, read
in both directions, and a conversion between two foreign layouts goes through them. A layout is
recognised by keys that it alone has.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from semcl_mm.checkpoint.renaming import Rename, Renamed, State, apply_renames
from semcl_mm.checkpoint.tables import (
    CONVNEXT_OFFICIAL,
    CONVNEXT_TIMM,
    RESNET_DEEP_MMSEG,
    RESNET_DEEP_TIMM,
    SWIN_OFFICIAL,
    SWIN_TIMM,
    SWIN_TORCHVISION,
    VIT_MMSEG,
    VIT_TIMM,
    VIT_TORCHVISION,
    flattened,
)

# Computed from the window size by every implementation, each in a shape of its own.
_RECOMPUTED = re.compile(r'(^|\.)(relative_position_index|attn_mask|relative_coords_table)$')
_HEADS = {'fc', 'head', 'heads', 'head_dist', 'classifier', 'last_linear'}
# How HRNet's classifier joins the four maps; no dense task has it.
_HEADS |= {'incre_modules', 'downsamp_modules', 'final_layer'}
_DOWNSAMPLE = re.compile(r'(layer\d+\.0)\.downsample\.(\d+)\.(.+)')


@dataclass(frozen=True)
class Layout:
    """The names that one library uses for one family of networks.

    Args:
        name: ``family/library``.
        present: Keys that a state dict of this layout has.
        absent: Keys that it does not have.
        renames: From its names to mmpretrain's; empty where they are the same.
        fresh: Pattern of norms that only dense tasks have, behind the earlier stages. No
            classifier's or pretraining's checkpoint can hold them. ``{L}`` is the last stage.
    """

    name: str
    present: tuple[str, ...]
    absent: tuple[str, ...] = ()
    renames: tuple[Rename, ...] = ()
    fresh: str = ''

    @property
    def family(self) -> str:
        return self.name.partition('/')[0]

    def describes(self, keys: Iterable[str]) -> bool:
        return set(self.present) <= (keys := set(keys)) and not set(self.absent) & keys


_TABLE = 'attn.relative_position_bias_table'
LAYOUTS = (
    Layout(
        'resnet/torchvision', ('conv1.weight', 'layer1.0.conv1.weight', 'layer2.0.conv1.weight')
    ),
    Layout('resnet/mm-deep', ('stem.0.conv.weight', 'layer1.0.conv1.weight')),
    Layout(
        'resnet/mmseg-deep',
        ('stem.0.weight', 'stem.3.weight', 'layer1.0.conv1.weight'),
        renames=RESNET_DEEP_MMSEG,
    ),
    Layout(
        'resnet/timm-deep', ('conv1.0.weight', 'layer1.0.conv1.weight'), renames=RESNET_DEEP_TIMM
    ),
    # The authors' names are everyone's: timm, mmpretrain and mmsegmentation.
    Layout('hrnet/official', ('conv2.weight', 'stage2.0.branches.0.0.conv1.weight')),
    Layout(
        'swin/mm',
        ('stages.0.blocks.0.attn.w_msa.relative_position_bias_table',),
        fresh=r'norm(?!{L}\.)\d+\.(weight|bias)',
    ),
    Layout(
        'swin/official',
        (f'layers.0.blocks.0.{_TABLE}', 'layers.0.downsample.reduction.weight'),
        renames=SWIN_OFFICIAL,
    ),
    Layout(
        'swin/timm',
        (f'layers.0.blocks.0.{_TABLE}',),
        ('layers.0.downsample.reduction.weight',),
        renames=SWIN_TIMM,
    ),
    Layout('swin/timm-features', (f'layers_0.blocks.0.{_TABLE}',), renames=flattened(SWIN_TIMM)),
    Layout('swin/torchvision', (f'features.1.0.{_TABLE}',), renames=SWIN_TORCHVISION),
    Layout(
        'vit/mm', ('layers.0.ln1.weight', 'layers.0.attn.qkv.weight'), fresh=r'ln2\.(weight|bias)'
    ),
    Layout('vit/mmseg', ('layers.0.attn.attn.in_proj_weight',), renames=VIT_MMSEG),
    Layout(
        'vit/timm',
        ('patch_embed.proj.weight', 'blocks.0.norm1.weight', 'blocks.0.attn.qkv.weight'),
        renames=VIT_TIMM,
    ),
    Layout(
        'vit/torchvision',
        ('encoder.layers.encoder_layer_0.ln_1.weight',),
        renames=VIT_TORCHVISION,
    ),
    Layout(
        'convnext/mm',
        ('stages.0.0.depthwise_conv.weight',),
        fresh=r'norm(?!{L}\.)\d+\.(weight|bias)',
    ),
    Layout('convnext/official', ('stages.0.0.dwconv.weight',), renames=CONVNEXT_OFFICIAL),
    Layout('convnext/timm', ('stages.0.blocks.0.conv_dw.weight',), renames=CONVNEXT_TIMM),
    Layout(
        'convnext/timm-features',
        ('stages_0.blocks.0.conv_dw.weight',),
        renames=flattened(CONVNEXT_TIMM),
    ),
)
UNKNOWN = Layout('unknown', ())


def layout_named(name: str) -> Layout:
    """The layout of this name.

    Raises:
        ValueError: If there is none.
    """
    for layout in LAYOUTS:
        if layout.name == name:
            return layout
    raise ValueError(f'no layout {name!r}; there are {", ".join(x.name for x in LAYOUTS)}')


def detect_layout(keys: Iterable[str]) -> Layout:
    """The layout that keys without any prefix belong to, ``UNKNOWN`` where none fits."""
    keys = set(keys)
    return next((layout for layout in LAYOUTS if layout.describes(keys)), UNKNOWN)


def is_recomputed(key: str) -> bool:
    """Whether the tensor follows from the window size alone, so that no file need hold it."""
    return _RECOMPUTED.search(key) is not None


def is_head(key: str) -> bool:
    """Whether the key belongs to a classifier or a projector put in its place."""
    return key.partition('.')[0] in _HEADS


def last_stage(keys: Iterable[str]) -> int:
    """Index of the last stage of a Swin Transformer or ConvNeXt under any layout's names."""
    stages = [int(n) for k in keys for n in re.findall(r'^(?:stages|layers)[._](\d+)\.', k)]
    # torchvision numbers embedding, stage, merging, stage, …: stage i is module 2i + 1.
    features = [int(n) // 2 for k in keys for n in re.findall(r'^features\.(\d*[13579])\.', k)]
    return max(stages + features, default=0)


def to_ours(state: State, layout: Layout) -> Renamed:
    """Renames a state dict of a layout to mmpretrain's names.

    Args:
        state: Tensors by name, without prefix, head or recomputed buffer.
        layout: What :func:`detect_layout` found.

    Returns:
        The tensors under mmpretrain's names, and the names that mmpretrain has nothing for.
    """
    if not layout.renames:
        return Renamed(dict(state))
    renamed = apply_renames(state, layout.renames, last=last_stage(state))
    if layout.family == 'resnet' and _has_pooled_shortcuts(renamed.state):
        renamed.state = move_shortcut(renamed.state, {'layer1.0': 0})
    return renamed


def from_ours(state: State, layout: Layout) -> Renamed:
    """Renames a state dict from mmpretrain's names to a layout; inverse of :func:`to_ours`."""
    if not layout.renames:
        return Renamed(dict(state))
    if layout.family == 'resnet' and _has_pooled_shortcuts(state):
        state = move_shortcut(state, {'layer1.0': 1})
    return apply_renames(state, layout.renames, reverse=True, last=last_stage(state))


def shortcut_positions(state: State) -> dict[str, int]:
    """Where each ResNet stage keeps the convolution of its shortcut: 1 behind a pooling, else 0.

    The implementations of ResNet-D differ in whether a stage of stride 1 has that pooling.
    """
    found = ((_DOWNSAMPLE.fullmatch(key), value) for key, value in state.items())
    return {m[1]: int(m[2]) for m, v in found if m and m[3] == 'weight' and v.ndim == 4}


def move_shortcut(state: State, wanted: dict[str, int]) -> State:
    """Renumbers the shortcuts so that their convolutions stand at the wanted positions."""
    positions = shortcut_positions(state)
    shift = {block: wanted[block] - at for block, at in positions.items() if block in wanted}

    def name(key: str) -> str:
        found = _DOWNSAMPLE.fullmatch(key)
        if found is None or not shift.get(found[1]):
            return key
        return f'{found[1]}.downsample.{int(found[2]) + shift[found[1]]}.{found[3]}'

    return {name(key): value for key, value in state.items()}


def _has_pooled_shortcuts(state: State) -> bool:
    return shortcut_positions(state).get('layer2.0') == 1
