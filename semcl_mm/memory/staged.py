"""Writes that wait until the memory is read again."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

__all__ = ['StagedMemory', 'check_storage']


def check_storage(dtype: torch.dtype, **sizes: int) -> None:
    """Raise ``ValueError`` unless ``dtype`` is a floating point type and all sizes are positive."""
    if not dtype.is_floating_point:
        raise ValueError(f'dtype must be a floating point type, got {dtype}')
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f'{name} must be at least 1, got {size}')


class StagedMemory(nn.Module):
    """Base of the memories: a write is held back until the next access.

    A training step reads the memory (the loss), writes it (this step's embeddings), and only then
    runs backward. Autograd may have saved the memory itself, so that writing in place right away
    would change what backward reads; PyTorch refuses that, and copying the memory at every step is
    what the usual queue does instead. Here the new embeddings, which are small, wait, and are
    written on the next read, the next write or when a state dict is taken. Reading, writing and
    reading again before *one* common backward still ends in PyTorch's error, never in a wrong
    gradient.

    Args:
        persistent: Whether the buffers of :meth:`hold` are part of the state dict.
    """

    def __init__(self, persistent: bool = True) -> None:
        super().__init__()
        self.persistent = persistent
        self._staged: list[tuple[Tensor, ...]] = []

    def hold(self, **buffers: Tensor) -> None:
        """Register buffers, in the state dict or not as asked for at construction."""
        for name, buffer in buffers.items():
            self.register_buffer(name, buffer, persistent=self.persistent)

    def stage(self, *payload: Tensor) -> None:
        """Hold back ``payload`` for :meth:`write`, after writing what waited before."""
        self.flush()
        self._staged.append(payload)

    @torch.no_grad()
    def flush(self) -> None:
        """Write what waits. Called by every read; calling it again does nothing."""
        staged, self._staged = self._staged, []
        for payload in staged:
            self.write(*payload)

    def write(self, *payload: Tensor) -> None:
        """Write one staged payload into the buffers, in place."""
        raise NotImplementedError

    def _apply(self, fn: Callable[[Tensor], Tensor], *args, **kwargs) -> nn.Module:
        self.flush()  # before the buffers move to another device or type
        return super()._apply(fn, *args, **kwargs)

    def _save_to_state_dict(self, *args, **kwargs) -> None:
        self.flush()
        super()._save_to_state_dict(*args, **kwargs)

    def _load_from_state_dict(self, *args, **kwargs) -> None:
        self._staged.clear()  # it belongs to the state that is replaced
        super()._load_from_state_dict(*args, **kwargs)
