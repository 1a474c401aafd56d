"""Out to timm and torchvision, with the proof that their network computes the same features."""

import math
import os

import torch

from semcl_mm.checkpoint.architecture import infer_architecture
from semcl_mm.checkpoint.errors import CheckpointError, CheckpointMismatch
from semcl_mm.checkpoint.files import load_file, save_checkpoint
from semcl_mm.checkpoint.foreign_models import build_foreign, foreign_features
from semcl_mm.checkpoint.layouts import from_ours, layout_named
from semcl_mm.checkpoint.publishing import convert
from semcl_mm.checkpoint.renaming import State

_LAYOUTS = {
    'timm': {
        'resnet': 'resnet/torchvision',
        'resnet-deep': 'resnet/timm-deep',
        'swin': 'swin/timm',
        'vit': 'vit/timm',
        'convnext': 'convnext/timm',
    },
    'torchvision': {
        'resnet': 'resnet/torchvision',
        'swin': 'swin/torchvision',
        'vit': 'vit/torchvision',
    },
}
LIBRARIES = tuple(_LAYOUTS)
TOLERANCE = 1e-4  # of the features' standard deviation, over all layers in float32
_OPTIONAL = ('relative_position_index', 'num_batches_tracked')


def export_state(state: State, library: str) -> tuple[State, list[str]]:
    """Gives a backbone's tensors the names of another library.

    Args:
        state: A backbone under mmpretrain's names, without prefix.
        library: ``'timm'`` or ``'torchvision'``.

    Returns:
        The tensors for that library's model without classifier, and the output norms of dense
        tasks that are left behind.

    Raises:
        CheckpointError: If the library has no such network.
        CheckpointMismatch: If a tensor that takes part in the features has no counterpart.
    """
    if library not in _LAYOUTS:
        raise ValueError(f'library must be one of {LIBRARIES}, got {library!r}')
    architecture = infer_architecture(state)
    kind = architecture.family + ('-deep' if architecture.settings.get('deep_stem') else '')
    if kind not in _LAYOUTS[library]:
        raise CheckpointError(f'{library} has no counterpart of this {kind} ({architecture.name})')
    layout = layout_named(_LAYOUTS[library][kind])
    if kind == 'resnet' and architecture.settings['avg_down']:
        raise CheckpointError(f'{library} has no ResNet with pooled shortcuts and a 7 x 7 stem')
    renamed = from_ours(state, layout)
    left = [key for key in renamed.unknown if not key.startswith('norm')]
    if left:
        raise CheckpointMismatch(f'{library} has no place for {", ".join(left[:8])}')
    return renamed.state, renamed.unknown


@torch.no_grad()
def feature_difference(state: State, library: str) -> float:
    """How far the exported network is from ours on noise.

    Args:
        state: A backbone under mmpretrain's names.
        library: ``'timm'`` or ``'torchvision'``.

    Returns:
        Largest absolute difference of the last feature map over the map's standard deviation.

    Raises:
        CheckpointError: If one of the networks does not take all of its tensors.
    """
    architecture = infer_architecture(state)
    ours, theirs = architecture.build(), build_foreign(architecture, library)
    exported, _ = export_state(state, library)
    for model, tensors in ((ours, state), (theirs, exported)):
        model.eval()
        problems = model.load_state_dict(tensors, strict=False)
        missing = [k for k in problems.missing_keys if not k.endswith(_OPTIONAL)]
        if missing or problems.unexpected_keys:
            raise CheckpointMismatch(
                f'{type(model).__module__}.{type(model).__name__}: missing {missing[:4]}, '
                f'unexpected {problems.unexpected_keys[:4]}'
            )
    size = architecture.input_size
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(2, 3, size, size, generator=generator)
    expected = ours(images)[-1]
    got = foreign_features(theirs, images)
    if got.shape != expected.shape:
        raise CheckpointMismatch(f'features {tuple(got.shape)} instead of {tuple(expected.shape)}')
    return float((got - expected).abs().max() / expected.std().clamp(min=1e-12))


def check_export(state: State, library: str) -> float:
    """Like :func:`feature_difference`, and raises where the features differ.

    Raises:
        CheckpointMismatch: If they do.
    """
    difference = feature_difference(state, library)
    if not math.isfinite(difference) or difference > TOLERANCE:
        raise CheckpointMismatch(
            f'{library} computes other features: they differ by {difference:.2g} standard '
            f'deviations (at most {TOLERANCE:g})'
        )
    return difference


def export(
    source: str | os.PathLike,
    target: str | os.PathLike,
    to: str,
    *,
    which: str = 'online',
    verify: bool = False,
    trust: bool = False,
) -> list[str]:
    """Writes the backbone of any known file for another library.

    Args:
        source: The file.
        target: Where to; the suffix ``.safetensors`` chooses that format.
        to: ``'timm'``, ``'torchvision'`` (a bare state dict) or ``'safetensors'`` (our names and
            meta data).
        which: ``'online'`` or ``'target'`` encoder.
        verify: Compare the features of both networks before anything is written.
        trust: Let the file run code.

    Returns:
        What was done, line by line.

    Raises:
        CheckpointError: If the file cannot be read or the library has no such network.
        CheckpointMismatch: If a tensor has no counterpart or the features differ.
    """
    if to == 'safetensors' and not str(target).endswith('.safetensors'):
        raise ValueError(f'{target}: a safetensors file is named *.safetensors')
    conversion = convert(source, which=which, trust=trust, allow_unknown=to == 'safetensors')
    lines = [conversion.summary()]
    state = conversion.encoder.state
    if to == 'safetensors':
        save_checkpoint(conversion.checkpoint, target)
        return [*lines, *(_read_back(target, state) if verify else [])]
    try:
        exported, left = export_state(state, to)
        lines.append(f'  {to}: {len(exported)} tensors')
        if left:
            lines.append(f'  norms of dense tasks, left behind: {", ".join(left)}')
        if verify:
            difference = check_export(state, to)
            lines.append(f'  same features: differ by {difference:.1e} standard deviations at most')
    except CheckpointError as error:
        raise type(error)(f'{source}: {error}') from None
    save_checkpoint(exported, target)
    return lines


def _read_back(path: str | os.PathLike, state: State) -> list[str]:
    written = load_file(path)['state_dict']
    wrong = [key for key, value in state.items() if not written[f'backbone.{key}'].equal(value)]
    if wrong:
        raise CheckpointMismatch(f'{path}: {len(wrong)} tensors differ when read back')
    return [f'  read back: {len(state)} tensors equal']
