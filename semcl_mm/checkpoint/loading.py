"""From a file to a backbone, checked tensor by tensor.

Loading with ``strict=False`` and no look at what was loaded is the costliest silent failure of
this stack: a training that starts from random weights and never says so. Here a load counts what
it covers, stops when that is not the whole backbone, and reads the values back.
"""

import logging
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import torch
from mmengine.logging import print_log
from torch import nn

from semcl_mm.checkpoint.errors import CheckpointError, CheckpointMismatch
from semcl_mm.checkpoint.files import load_file
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
from semcl_mm.checkpoint.report import LoadReport
from semcl_mm.checkpoint.resizing import fit_sizes
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
    target = _Target(backbone)
    encoder = read_encoder(checkpoint, keep=frozenset(target.state))
    return target.named(encoder)[0], encoder.source_format


class _Target:
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


def load_backbone(
    backbone: nn.Module,
    path: str | os.PathLike,
    *,
    allow_partial: bool = False,
    trust: bool = False,
    min_coverage: float = 0.99,
    which: str = 'online',
) -> LoadReport:
    """Fills a backbone from any known checkpoint and proves that it did.

    Coverage counts the backbone's tensors (parameters and persistent buffers) except
    ``num_batches_tracked``, buffers that follow from the window size, and output norms that
    only dense tasks have and the file lacks.

    Args:
        backbone: An mmpretrain, mmseg, mmdet, timm or torchvision backbone.
        path: The file; see :func:`load_file`.
        allow_partial: Accept less than ``min_coverage``, but not nothing at all.
        trust: Let the file run code.
        min_coverage: Smallest share of the backbone's tensors that must come from the file.
        which: ``'online'`` or ``'target'`` encoder, where the file has both.

    Returns:
        What was loaded, missing, unexpected, interpolated and skipped.

    Raises:
        FileNotFoundError: If there is no such file.
        CheckpointError: If the file cannot be read or has no encoder.
        CheckpointMismatch: If it covers too little. The backbone is then unchanged.
    """
    if not 0 <= min_coverage <= 1:
        raise ValueError(f'min_coverage must be in [0, 1], got {min_coverage}')
    checkpoint = load_file(path, trust=trust)
    try:
        report = fill_backbone(
            backbone, checkpoint, str(path), which, 0.0 if allow_partial else min_coverage
        )
    except CheckpointMismatch as error:
        raise CheckpointMismatch(f'{path}: {error}', error.report) from None
    except CheckpointError as error:
        raise CheckpointError(f'{path}: {error}') from None
    print_log(report.summary(), logger='current')
    if report.details():
        print_log(report.details(), logger='current', level=logging.WARNING)
    return report


def fill_backbone(
    backbone: nn.Module, checkpoint: Mapping, path: str, which: str, min_coverage: float
) -> LoadReport:
    """What :func:`load_backbone` does after reading the file."""
    target = _Target(backbone)
    encoder = read_encoder(checkpoint, which, keep=frozenset(target.state))
    state, unknown = target.named(encoder)
    own = backbone.state_dict()
    state, resized = fit_sizes(state, own)

    report = LoadReport(path, encoder.source_format, unexpected=list(unknown), resized=resized)
    report.skipped = encoder.skipped
    counted = [k for k in own if not is_recomputed(k) and not k.endswith('num_batches_tracked')]
    for key in counted:
        if key not in state:
            (report.fresh if target.is_fresh(key) else report.missing).append(key)
        elif state[key].shape != own[key].shape:
            report.mismatched[key] = tuple(state[key].shape), tuple(own[key].shape)
        else:
            report.loaded.append(key)
    report.unexpected += [key for key in state if key not in own]

    if target.layout is not UNKNOWN:
        report.deeper = _deeper(report.unexpected, own)

    too_deep = report.deeper and min_coverage > 0
    if report.coverage < min_coverage or too_deep or not report.loaded:
        raise CheckpointMismatch(_refusal(report, min_coverage, backbone), report)
    accepted = set(report.loaded)
    accepted |= {k for k in state if k.endswith('num_batches_tracked') and k in own}
    chosen = {key: state[key] for key in accepted}
    backbone.load_state_dict(chosen, strict=False)
    report.not_finite = [k for k in report.loaded if not state[k].isfinite().all()]
    _verify(backbone, chosen)
    return report


def _deeper(unexpected: list[str], own: State) -> dict[str, tuple[int, int]]:
    """Sequences of blocks of which the file has more than the backbone, with both lengths."""

    def blocks(keys: Iterable[str]) -> dict[str, set[int]]:
        found: dict[str, set[int]] = {}
        for key in keys:
            for number in re.finditer(r'\.(\d+)(?=\.)', key):
                found.setdefault(key[: number.start()], set()).add(int(number[1]))
        return found

    ours = blocks(own)
    extra = {
        name: numbers - ours.get(name, numbers) for name, numbers in blocks(unexpected).items()
    }
    return {
        name: (max(numbers) + 1, max(ours[name]) + 1)
        for name, numbers in extra.items()
        if numbers and max(numbers) > max(ours[name])
    }


def _refusal(report: LoadReport, min_coverage: float, backbone: nn.Module) -> str:
    return (
        f'covers {len(report.loaded)} of the {report.required} tensors of '
        f'{type(backbone).__name__} ({100 * report.coverage:.1f} %; '
        f'{100 * min_coverage:g} % are needed). It was read as {report.source_format}. '
        'Choose the config of the architecture in the file, or accept a partial load '
        f'(allow_partial=True) if this is meant.\n{report.details()}'
    )


@torch.no_grad()
def _verify(backbone: nn.Module, state: State) -> None:
    """Reads the values back: a backbone's own loading hooks may have changed or dropped them."""
    own = backbone.state_dict()
    wrong = [
        key
        for key, value in state.items()
        if not torch.equal(
            torch.nan_to_num(own[key]), torch.nan_to_num(value.to(own[key].device, own[key].dtype))
        )
    ]
    if wrong:
        raise CheckpointError(
            f'{type(backbone).__name__} did not take the values of {len(wrong)} tensors, '
            f'the first is {wrong[0]}'
        )
