"""What a checkpoint must hold beside weights and optimiser, so that a resumed run is the same run.

Random generators of every process, its buffers where they are not process 0's, and the gradients
that it has accumulated where the checkpoint falls between two optimiser steps. All of it is plain
data: it loads without running code.
"""

import hashlib
import random
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from torch import nn

from semcl_mm.distributed import rank, world_size

__all__ = [
    'accumulated_gradients',
    'gather_on_main',
    'own_buffers',
    'plain_message_hub',
    'random_state',
    'restore_buffers',
    'restore_gradients',
    'restore_message_hub',
    'restore_random_state',
]


def random_state() -> dict[str, Any]:
    """The state of this process's generators: Python, NumPy, torch and its CUDA device."""
    name, keys, *rest = np.random.get_state()  # noqa: NPY002
    return {
        'python': random.getstate(),
        'numpy': (name, keys.tolist(), *rest),
        'torch': torch.get_rng_state(),
        'cuda': torch.cuda.get_rng_state() if torch.cuda.is_available() else None,
    }


def restore_random_state(state: dict[str, Any]) -> None:
    """Put the generators of this process back."""
    version, keys, gauss = state['python']
    random.setstate((version, tuple(keys), gauss))
    name, numpy_keys, *rest = state['numpy']
    np.random.set_state((name, np.asarray(numpy_keys, dtype=np.uint32), *rest))  # noqa: NPY002
    torch.set_rng_state(state['torch'].cpu())
    if state['cuda'] is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(state['cuda'].cpu())


def accumulated_gradients(model: nn.Module, optim_wrapper: Any) -> dict[str, torch.Tensor] | None:
    """Gradients not yet used by a step, by parameter name; None right after a step."""
    if getattr(optim_wrapper, 'should_update', lambda: True)():
        return None
    return {
        name: parameter.grad.cpu()
        for name, parameter in model.named_parameters()
        if parameter.grad is not None
    }


def restore_gradients(model: nn.Module, gradients: dict[str, torch.Tensor] | None) -> None:
    """Give the parameters the gradients that were accumulated before the checkpoint."""
    for name, gradient in (gradients or {}).items():
        parameter = model.get_parameter(name)
        parameter.grad = gradient.to(parameter)


def own_buffers(model: nn.Module) -> dict[str, torch.Tensor]:
    """Buffers of this process that differ from process 0's, whose buffers the checkpoint holds.

    Batch norm without SyncBN follows each process's own data. All processes must call this.
    """
    if world_size() == 1:
        return {}
    buffers = {name: buffer.detach().cpu() for name, buffer in model.named_buffers()}
    digests = {name: _digest(buffer) for name, buffer in buffers.items()}
    main = [digests]
    torch.distributed.broadcast_object_list(main, src=0)
    return {name: buffers[name] for name in buffers if digests[name] != main[0].get(name)}


def restore_buffers(model: nn.Module, buffers: dict[str, torch.Tensor]) -> None:
    """Give this process its own buffers back."""
    for name, value in buffers.items():
        model.get_buffer(name).copy_(value)


def _digest(tensor: torch.Tensor) -> bytes:
    content = tensor.contiguous().view(-1).view(torch.uint8) if tensor.numel() else tensor
    return hashlib.blake2b(content.numpy().tobytes()).digest()


def gather_on_main(value: Any) -> list[Any] | None:
    """The values of all processes on process 0, None elsewhere. All processes must call it."""
    if world_size() == 1:
        return [value]
    values = [None] * world_size() if rank() == 0 else None
    torch.distributed.gather_object(value, values, dst=0)
    return values


def plain_message_hub(state: dict[str, Any]) -> dict[str, Any]:
    """MMEngine's message hub without classes of its own."""
    histories = {}
    for name, buffer in state['log_scalars'].items():
        values, counts = buffer.data
        histories[name] = {
            'values': torch.as_tensor(np.asarray(values, dtype=np.float64)),
            'counts': torch.as_tensor(np.asarray(counts, dtype=np.int64)),
            'max_length': buffer.max_length,
        }
    return {
        'histories': histories,
        'runtime_info': {name: _plain(value) for name, value in state['runtime_info'].items()},
        'resumed_keys': dict(state['resumed_keys']),
    }


def restore_message_hub(plain: dict[str, Any]) -> dict[str, Any]:
    """What ``MessageHub.load_state_dict`` takes; MMEngine's own format passes through."""
    if 'histories' not in plain:
        return plain
    scalars = {
        name: HistoryBuffer(
            history['values'].numpy(), history['counts'].numpy(), history['max_length']
        )
        for name, history in plain['histories'].items()
    }
    known = scalars.keys() | plain['runtime_info'].keys()
    return {
        'log_scalars': scalars,
        'runtime_info': plain['runtime_info'],
        'resumed_keys': {key: kept for key, kept in plain['resumed_keys'].items() if key in known},
    }


def _plain(value: Any) -> Any:
    """Numbers, text, containers and tensors stay; other objects become their text."""
    if value is None or isinstance(value, (bool, int, float, str, torch.Tensor)):
        return value.item() if isinstance(value, np.generic) else value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [_plain(entry) for entry in value]
    return str(value)
