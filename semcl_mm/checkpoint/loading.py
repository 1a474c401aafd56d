"""From a file to a backbone, checked tensor by tensor.

Loading with ``strict=False`` and no look at what was loaded is the costliest silent failure of
this stack: a training that starts from random weights and never says so. Here a load counts what
it covers, stops when that is not the whole backbone, and reads the values back.
"""

import logging
import os
import re
from collections.abc import Iterable, Mapping

import torch
from mmengine.logging import print_log
from torch import nn

from semcl_mm.checkpoint.encoder import BackboneNames, read_encoder
from semcl_mm.checkpoint.errors import CheckpointError, CheckpointMismatch
from semcl_mm.checkpoint.files import load_file
from semcl_mm.checkpoint.layouts import UNKNOWN, is_recomputed
from semcl_mm.checkpoint.renaming import State
from semcl_mm.checkpoint.report import LoadReport
from semcl_mm.checkpoint.resizing import fit_sizes

MIN_COVERAGE = 0.99


def load_backbone(
    backbone: nn.Module,
    path: str | os.PathLike,
    *,
    allow_partial: bool = False,
    trust: bool = False,
    min_coverage: float = MIN_COVERAGE,
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
    backbone: nn.Module,
    checkpoint: Mapping,
    path: str,
    which: str = 'online',
    min_coverage: float = MIN_COVERAGE,
) -> LoadReport:
    """What :func:`load_backbone` does after reading the file."""
    target = BackboneNames(backbone)
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
    name = type(backbone).__name__
    found = (
        f'covers {len(report.loaded)} of the {report.required} tensors of {name} '
        f'({100 * report.coverage:.1f} %; {100 * min_coverage:g} % are needed)'
    )
    if report.deeper and report.coverage >= min_coverage:
        places = ', '.join(
            f'{key} has {theirs} blocks in the file and {ours} here'
            for key, (theirs, ours) in report.deeper.items()
        )
        found = (
            f'holds a deeper network than this {name}: {places}; {len(report.unexpected)} tensors '
            f'of the file would go unused ({report.unexpected[0]}…)'
        )
    return (
        f'{found}. It was read as {report.source_format}. '
        'Choose the config of the architecture in the file, or accept a partial load '
        f'(--allow-partial, allow_partial=True) if this is meant.\n{report.details()}'
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
