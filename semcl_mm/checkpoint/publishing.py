"""Our published form: ``{'state_dict': {'backbone.*': …}, 'meta': {…}}``.

It is what every OpenMMLab library loads with ``Pretrained(prefix='backbone.')``; ``meta`` says
where the weights come from.
"""

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import torch

from semcl_mm import __version__
from semcl_mm.checkpoint.architecture import Architecture, infer_architecture, normalised_name
from semcl_mm.checkpoint.encoder import Encoder, read_encoder
from semcl_mm.checkpoint.errors import CheckpointError, CheckpointMismatch
from semcl_mm.checkpoint.files import file_sha256, load_file, save_checkpoint
from semcl_mm.checkpoint.layouts import UNKNOWN, is_recomputed
from semcl_mm.checkpoint.loading import fill_backbone
from semcl_mm.checkpoint.renaming import State, apply_renames, rename
from semcl_mm.checkpoint.wrapping import strip_common, tensors_of

# The head's module is `fc` in a ResNet and `head` in a Swin Transformer or ViT.
_PARTS = (
    *(rename(f'base_encoder.{head}.{{i}}.{{rest}}', 'projector.mlp.{i}.{rest}')
      for head in ('fc', 'head')),
    *(rename(f'momentum_encoder.{head}.{{i}}.{{rest}}', 'target_projector.mlp.{i}.{rest}')
      for head in ('fc', 'head')),
    rename('predictor.{i}.{rest}', 'predictor.mlp.{i}.{rest}'),
)  # fmt: skip
_RENAMED_PARTS = ('fc', 'head', 'momentum_encoder')


@dataclass
class Conversion:
    """A converted file before it is written.

    Attributes:
        checkpoint: The published form.
        encoder: What was read.
        architecture: None where the names belong to no known family.
        parts: How many tensors each part of the result holds.
    """

    checkpoint: dict[str, Any]
    encoder: Encoder
    architecture: Architecture | None
    parts: dict[str, int] = field(default_factory=dict)

    def summary(self) -> str:
        """What was read, what is kept and what is not, with counts."""
        name = self.architecture.name if self.architecture else 'unknown architecture'
        lines = [f'{self.encoder.source_format}: {name}']
        lines += [f'  {part}: {count} tensors' for part, count in self.parts.items()]
        dropped = {k: n for k, n in sorted(self.encoder.skipped.items()) if k not in self.parts}
        if dropped:
            lines.append('  left out: ' + ', '.join(f'{k} {n}' for k, n in dropped.items()))
        if self.encoder.unknown:
            lines.append(f'  without a place: {", ".join(self.encoder.unknown)}')
        return '\n'.join(lines)


def convert(
    source: str | os.PathLike,
    *,
    which: str = 'online',
    arch: str | None = None,
    full: bool = False,
    trust: bool = False,
    allow_unknown: bool = False,
) -> Conversion:
    """Turns a file of any known format into our published form.

    Args:
        source: The file.
        which: ``'online'`` or ``'target'`` encoder.
        arch: The architecture that it must be, such as ``resnet50``; None accepts any.
        full: Keep projector, predictor and target network too (MoCo v3 and official SemCL).
        trust: Let the file run code.
        allow_unknown: Accept an architecture whose dimensions cannot be read from the names, and
            leave out tensors of the encoder that mmpretrain has no place for.

    Returns:
        The conversion; nothing is written yet.

    Raises:
        FileNotFoundError: If there is no such file.
        CheckpointError: If the file cannot be read or used.
        CheckpointMismatch: If it is another architecture, or not all of it can be used.
    """
    checkpoint = load_file(source, trust=trust)
    try:
        encoder = read_encoder(checkpoint, which)
        architecture, recomputed = _architecture(encoder, arch, allow_unknown)
        tensors = encoder.state | recomputed
        state = {f'backbone.{key}': value for key, value in tensors.items()}
        if full:
            state |= _other_parts(checkpoint, which)
            state |= {f'target_backbone.{key}': value for key, value in recomputed.items()}
            for part in _RENAMED_PARTS:  # kept under our names
                encoder.skipped.pop(part, None)
    except CheckpointMismatch as error:
        raise CheckpointMismatch(f'{source}: {error}', error.report) from None
    except CheckpointError as error:
        raise CheckpointError(f'{source}: {error}') from None
    parts: dict[str, int] = {}
    for key in state:
        parts[key.partition('.')[0]] = parts.get(key.partition('.')[0], 0) + 1
    # Clones: a tensor that is a view of a larger storage would be saved with all of it.
    tensors = {key: value.detach().clone() for key, value in state.items()}
    meta = _meta(Path(source), checkpoint, encoder, which, architecture)
    return Conversion({'state_dict': tensors, 'meta': meta}, encoder, architecture, parts)


def _architecture(
    encoder: Encoder, arch: str | None, lenient: bool
) -> tuple[Architecture | None, State]:
    """Reads the architecture, and proves that it takes every tensor of the encoder.

    Returns:
        It, and the buffers that follow from its window size: mmpretrain's, mmseg's and mmdet's
        networks have them in their state, and a strict load asks for them.
    """
    if lenient and encoder.layout is UNKNOWN and arch is None:
        return None, {}
    architecture = infer_architecture(encoder.state)
    if arch is not None and normalised_name(arch) != normalised_name(architecture.name):
        raise CheckpointMismatch(f'it holds a {architecture.name}, not a {arch}')
    network = architecture.build()
    report = fill_backbone(network, encoder.state, '', 'online', 1.0)
    unused = encoder.unknown + report.unexpected
    if unused and not lenient:
        raise CheckpointMismatch(
            f'{len(unused)} tensors of the {architecture.name} have no place in mmpretrain: '
            f'{", ".join(unused[:8])}. --allow-partial leaves them out',
            report,
        )
    buffers = {key: value for key, value in network.state_dict().items() if is_recomputed(key)}
    return architecture, buffers


def _other_parts(checkpoint: Mapping, which: str) -> State:
    """Projector, predictor and the target network under the names of our ``MomentumEncoder``."""
    if which != 'online':
        raise ValueError('a full conversion keeps both encoders: it has no --key')
    state, _ = strip_common(tensors_of(checkpoint))
    ours = ('projector.mlp.', 'predictor.mlp.', 'target_projector.mlp.')
    parts = {key: value for key, value in state.items() if key.startswith(ours)}
    parts |= apply_renames(state, _PARTS).state
    if not any(key.startswith('projector.') for key in parts):
        raise CheckpointMismatch(
            'no projector in it: a full conversion needs a MoCo v3, SemCL or semcl_mm checkpoint'
        )
    target = read_encoder(checkpoint, 'target')
    return parts | {f'target_backbone.{key}': value for key, value in target.state.items()}


def _meta(
    source: Path,
    checkpoint: Mapping,
    encoder: Encoder,
    which: str,
    architecture: Architecture | None,
) -> dict[str, Any]:
    return {
        **_origin(checkpoint),
        'source_format': encoder.source_format,
        'source_file': source.name,
        'source_sha256': file_sha256(source),
        'encoder': which,
        'architecture': architecture.name if architecture else 'unknown',
        'semcl_mm_version': __version__,
    }


def _origin(checkpoint: Mapping) -> dict[str, Any]:
    """What the source says about the run that made it: its record and the hash of its config."""
    meta = checkpoint.get('meta')
    if not isinstance(meta, Mapping):
        return {}
    run = meta.get('run') if isinstance(meta.get('run'), Mapping) else {}
    origin = {'config_hash': meta.get('config_hash') or run.get('config_hash'), 'run': _plain(run)}
    return {key: value for key, value in origin.items() if value}


def _plain(meta: Mapping) -> dict[str, Any]:
    """The entries that any reader understands: numbers, text, and lists and dicts of them."""

    def plain(value: object) -> bool:
        if isinstance(value, Mapping):
            return all(plain(item) for item in value.values())
        if isinstance(value, list | tuple):
            return all(plain(item) for item in value)
        return value is None or isinstance(value, str | int | float)

    return {str(key): value for key, value in meta.items() if plain(value)}


def publish(source: str | os.PathLike, target: str | os.PathLike, trust: bool = False) -> Path:
    """Strips a training checkpoint to its weights and names it by its content.

    Args:
        source: A checkpoint.
        target: ``folder/name`` or ``folder/name.pth``.
        trust: Let the file run code.

    Returns:
        The path that was written: ``{name}_{date}-{hash8}.pth``.

    Raises:
        CheckpointError: If the file cannot be read or has no weights.
    """
    source, target = Path(source), Path(target)
    checkpoint = load_file(source, trust=trust)
    try:
        state = tensors_of(checkpoint)
    except CheckpointError as error:
        raise CheckpointError(f'{source}: {error}') from None
    known = checkpoint.get('meta')
    meta = {
        **(_plain(known) if isinstance(known, Mapping) else {}),
        **_origin(checkpoint),
        'source_file': source.name,
        'source_sha256': file_sha256(source),
        'semcl_mm_version': __version__,
    }
    tensors = {key: value.detach().clone() for key, value in state.items()}
    suffix = target.suffix if target.suffix in ('.pth', '.safetensors') else '.pth'
    stem = re.sub(r'\.(pth|safetensors)$', '', target.name)
    name = f'{stem}_{date.today():%Y%m%d}-{state_hash(tensors)[:8]}{suffix}'
    return save_checkpoint({'state_dict': tensors, 'meta': meta}, target.with_name(name))


def state_hash(state: State) -> str:
    """A hash of names, types, shapes and values: the same weights have the same, in any file."""
    digest = hashlib.sha256()
    for key in sorted(state):
        tensor = state[key].detach().cpu().contiguous()
        digest.update(f'{key} {tensor.dtype} {tuple(tensor.shape)}'.encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
