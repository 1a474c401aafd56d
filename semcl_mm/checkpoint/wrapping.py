"""Where a training program's checkpoint keeps the encoder.

A checkpoint nests: a container (``state_dict``, ``model``), wrappers of the module
(``module.`` of DDP, ``_orig_mod.`` of torch.compile), and the encoder among the method's other
networks (``base_encoder.``). What remains are the backbone's own keys.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch

from semcl_mm.checkpoint.errors import CheckpointError
from semcl_mm.checkpoint.renaming import State

_CONTAINERS = ('state_dict', 'model', 'model_state_dict', 'model_state', 'student', 'net')
_AVERAGED_CONTAINERS = ('state_dict_ema', 'model_ema', 'ema_state_dict', 'teacher')
_TRANSPARENT = ('module.', 'model.', 'timm_model.', 'net.')


@dataclass(frozen=True)
class Method:
    """A family of programs by the names of its encoders.

    Args:
        name: As it appears in reports and in ``meta``.
        online: Prefix of the encoder that is trained by gradient.
        target: Prefix of its moving average; empty where there is none.
    """

    name: str
    online: str
    target: str = ''


METHODS = (
    Method('semcl_mm', 'backbone.', 'target_backbone.'),
    Method('mmpretrain-moco', 'backbone.', 'encoder_k.module.0.'),
    Method('mmpretrain-momentum', 'backbone.', 'momentum_encoder.module.0.'),
    Method('mmpretrain-byol', 'backbone.', 'target_net.module.0.'),
    Method('moco-v3', 'base_encoder.', 'momentum_encoder.'),  # official SemCL has the same names
    Method('moco-v2', 'encoder_q.', 'encoder_k.'),
    Method('openmmlab', 'backbone.'),
)
PLAIN = Method('plain', '')


@dataclass
class Unwrapped:
    """The encoder's tensors.

    Attributes:
        state: Tensors under the encoder's own names, heads included.
        method: Whose names surrounded them.
        skipped: How many tensors each other part held, by the part's name.
    """

    state: State
    method: Method
    skipped: Counter = field(default_factory=Counter)


def tensors_of(checkpoint: Mapping, which: str = 'online') -> State:
    """The tensors of a checkpoint under the names that its modules gave them.

    Args:
        checkpoint: What a file holds.
        which: ``'target'`` prefers a container of averaged weights where there is one.

    Returns:
        Tensors by name; ``module.`` and ``_orig_mod.`` are gone.

    Raises:
        CheckpointError: If there are no tensors.
    """
    containers = (_AVERAGED_CONTAINERS if which == 'target' else ()) + _CONTAINERS
    state = checkpoint
    for _ in range(2):  # {'model': {'state_dict': …}} occurs
        inner = next((state[c] for c in containers if isinstance(state.get(c), Mapping)), None)
        if inner is None:
            break
        state = inner
    tensors = {
        _without_module(str(key)): value
        for key, value in state.items()
        if isinstance(value, torch.Tensor)
    }
    if not tensors:
        named = ', '.join(map(str, list(checkpoint)[:8])) or 'nothing'
        raise CheckpointError(f'no weights in it: it holds {named}')
    return tensors


def _without_module(key: str) -> str:
    return key.replace('_orig_mod.', '').removeprefix('module.')


def strip_common(state: State, prefixes: tuple[str, ...] = _TRANSPARENT) -> tuple[State, str]:
    """Removes prefixes that all keys share.

    Args:
        state: Tensors by name.
        prefixes: Which ones may go, as often as they occur.

    Returns:
        The tensors and the removed prefix, ``'model.model.'`` for example.
    """
    removed = ''
    while state:
        shared = next((p for p in prefixes if all(k.startswith(p) for k in state)), None)
        if shared is None:
            break
        state = {key.removeprefix(shared): value for key, value in state.items()}
        removed += shared
    return state, removed


def unwrap(checkpoint: Mapping, which: str = 'online') -> Unwrapped:
    """Takes the encoder out of a checkpoint.

    Args:
        checkpoint: What a file holds: a training checkpoint or a bare state dict.
        which: ``'online'`` or ``'target'``, its moving average.

    Returns:
        The encoder under its own names.

    Raises:
        CheckpointError: If there are no tensors, or no averaged encoder where one is wanted.
        ValueError: If ``which`` is neither.
    """
    if which not in ('online', 'target'):
        raise ValueError(f"which must be 'online' or 'target', got {which!r}")
    averaged = which == 'target' and any(c in checkpoint for c in _AVERAGED_CONTAINERS)
    state, _ = strip_common(tensors_of(checkpoint, which))
    method = _method_of(state)
    prefix = method.target if which == 'target' and not averaged else method.online
    if which == 'target' and not averaged and not method.target:
        raise CheckpointError(
            f'no target network in it (it looks like {method.name!r}): take the online one'
        )
    encoder, skipped = {}, Counter()
    for key, value in state.items():
        if key.startswith(prefix):
            encoder[key.removeprefix(prefix)] = value
        else:
            skipped[key.partition('.')[0]] += 1
    return Unwrapped(strip_common(encoder)[0], method, skipped)


def _method_of(state: State) -> Method:
    def has(prefix: str) -> bool:
        return any(key.startswith(prefix) for key in state)

    for method in METHODS:
        if has(method.online) and (not method.target or has(method.target)):
            return method
    # The encoder alone, kept under the name that it had in its method.
    for method in METHODS:
        if has(method.online):
            return Method(method.name, method.online)
    return PLAIN
