"""The encoder of a checkpoint, and the names under which a backbone wants it."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import nn

from semcl_mm.checkpoint.errors import CheckpointError, CheckpointMismatch
from semcl_mm.checkpoint.layouts import (
    UNKNOWN,
    Layout,
    detect_layout,
    from_ours,
    is_head,
    is_recomputed,
    last_stage,
    move_shortcut,
    shortcut_positions,
    to_ours,
)
from semcl_mm.checkpoint.renaming import State
from semcl_mm.checkpoint.wrapping import strip_common, unwrap


@dataclass
class Encoder:
    """The encoder of a checkpoint under mmpretrain's names.

    Attributes:
        state: Tensors without any prefix, head or recomputed buffer.
        source_format: ``method:family/library``.
        layout: How the file named them.
        skipped: How many tensors other parts of the file held, by part.
        unknown: Names of the encoder that mmpretrain has nothing for.
    """

    state: State
    source_format: str
    layout: Layout
    skipped: Counter = field(default_factory=Counter)
    unknown: list[str] = field(default_factory=list)


def read_encoder(
    checkpoint: Mapping, which: str = 'online', keep: frozenset = frozenset()
) -> Encoder:
    """Takes the encoder out of a checkpoint and gives its tensors mmpretrain's names.

    Args:
        checkpoint: What :func:`load_file` returns, or a bare state dict.
        which: ``'online'`` or ``'target'``, its moving average.
        keep: Names that are no heads although they look like it.

    Returns:
        An :class:`Encoder`.

    Raises:
        CheckpointError: If there is no encoder in it.
    """
    unwrapped = unwrap(checkpoint, which)
    layout = detect_layout(unwrapped.state)
    skipped = unwrapped.skipped.copy()
    tensors = {key: value for key, value in unwrapped.state.items() if not is_recomputed(key)}
    renamed = to_ours(tensors, layout)
    state = {}
    for key, value in renamed.state.items():
        if is_head(key) and key not in keep:
            skipped[key.partition('.')[0]] += 1
        else:
            state[key] = value
    skipped.update(key.partition('.')[0] for key in renamed.unknown if is_head(key))
    unknown = [key for key in renamed.unknown if not is_head(key)]
    if not state:
        raise CheckpointError('no backbone in it, only heads')
    name = f'{unwrapped.method.name}:{layout.name}'
    return Encoder(state, name, layout, skipped, unknown)


def backbone_state(checkpoint: Mapping, backbone: nn.Module | None = None) -> tuple[State, str]:
    """The backbone's tensors of any known checkpoint.

    Args:
        checkpoint: What :func:`load_file` returns, or a bare state dict.
        backbone: Whose names are wanted; None for mmpretrain's.

    Returns:
        The tensors, without prefix, and the format that was found, ``method:family/library``.

    Raises:
        CheckpointError: If there is no encoder in it.
        CheckpointMismatch: If it is of another family than ``backbone``.
    """
    if backbone is None:
        encoder = read_encoder(checkpoint)
        return encoder.state, encoder.source_format
    target = BackboneNames(backbone)
    encoder = read_encoder(checkpoint, keep=frozenset(target.state))
    return target.named(encoder)[0], encoder.source_format


class BackboneNames:
    """A backbone's own tensors and names."""

    def __init__(self, backbone: nn.Module) -> None:
        tensors = {k: v for k, v in backbone.state_dict().items() if isinstance(v, torch.Tensor)}
        self.state, self.prefix = strip_common(tensors)
        self.layout = detect_layout(self.state)

    def named(self, encoder: Encoder) -> tuple[State, list[str]]:
        """An encoder's tensors under the backbone's names, and names with no counterpart."""
        theirs, ours = encoder.layout, self.layout
        if UNKNOWN not in (theirs, ours) and theirs.family != ours.family:
            raise CheckpointMismatch(
                f'the file holds a {theirs.family} ({encoder.source_format}), '
                f'the backbone is a {ours.family} ({ours.name})'
            )
        renamed = from_ours(encoder.state, ours)
        state, unknown = renamed.state, encoder.unknown + renamed.unknown
        if ours.family == 'resnet':
            state = move_shortcut(state, shortcut_positions(self.state))
        if ours is UNKNOWN:
            state = self._by_flattened_names(state)
        return {self.prefix + key: value for key, value in state.items()}, unknown

    def _by_flattened_names(self, state: State) -> State:
        """timm's ``features_only`` joins the first two names of a path: ``blocks.0`` → ``_0``."""
        own = {key.replace('.', '_'): key for key in self.state}
        return {own.get(key.replace('.', '_'), key): value for key, value in state.items()}

    def is_fresh(self, key: str) -> bool:
        if not self.layout.fresh:
            return False
        pattern = self.layout.fresh.replace('{L}', str(last_stage(self.state)))
        return re.fullmatch(pattern, key.removeprefix(self.prefix)) is not None
