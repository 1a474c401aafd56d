"""A first-in first-out queue of unit vectors (the negatives of MoCo and its kin)."""

from __future__ import annotations

import torch
from torch import Tensor

from semcl_mm.distributed import all_gather
from semcl_mm.losses.similarity import normalise
from semcl_mm.memory.staged import StagedMemory, check_storage

__all__ = ['FeatureQueue']


class FeatureQueue(StagedMemory):
    """Ring buffer of the last ``size`` features, oldest overwritten first.

    It starts with random directions (normal vectors scaled to unit length, as in MoCo), so that a
    loss is defined from the first step on; ``filled`` counts how many of them were replaced.
    Everything is a persistent buffer: ``slots`` (size, dim), ``pointer`` () and ``filled`` ().

    A write waits until the next read (:class:`StagedMemory`), so that ``enqueue`` may be called
    before or after the backward pass of a loss that used :attr:`features`.

    Args:
        dim: Length of a feature, > 0.
        size: Number of features held, > 0.
        dtype: How features are stored; bfloat16 halves the memory.
        gather: Enqueue the features of all ranks, in rank order, so that all ranks hold the same
            queue. Every rank must then enqueue equally many.
    """

    def __init__(
        self, dim: int, size: int, dtype: torch.dtype = torch.float32, gather: bool = True
    ) -> None:
        super().__init__()
        check_storage(dtype, dim=dim, size=size)
        self.dim, self.size, self.gather = dim, size, gather
        self.hold(
            slots=normalise(torch.randn(size, dim)).to(dtype),
            pointer=torch.zeros((), dtype=torch.long),
            filled=torch.zeros((), dtype=torch.long),
        )

    @property
    def features(self) -> Tensor:
        """The queue itself, not a copy: (size, dim), unit rows, in no particular order."""
        self.flush()
        return self.slots

    @property
    def valid(self) -> Tensor:
        """(size,) bool: rows that hold an enqueued feature, not a random start."""
        self.flush()
        return torch.arange(self.size, device=self.filled.device) < self.filled

    @torch.no_grad()
    def enqueue(self, features: Tensor) -> None:
        """Append features; of more than ``size``, the last ``size`` stay.

        Args:
            features: (N, dim) of any length and N >= 0; stored at unit length.

        Raises:
            ValueError: If the shape is another one.
        """
        if features.ndim != 2 or features.shape[1] != self.dim:
            raise ValueError(
                f'features must be (N, {self.dim}) for this queue, got {tuple(features.shape)}'
            )
        features = normalise(features.detach()).to(self.slots.dtype)
        self.stage(all_gather(features) if self.gather else features)

    def write(self, features: Tensor) -> None:
        """Write unit features (N, dim) at the pointer and advance it by N, modulo ``size``."""
        skipped = max(len(features) - self.size, 0)
        kept = torch.arange(skipped, len(features), device=self.pointer.device)
        index = (self.pointer + kept) % self.size
        self.slots.index_copy_(0, index, features[skipped:].to(self.slots))
        self.pointer.add_(len(features)).remainder_(self.size)
        self.filled.add_(len(features)).clamp_(max=self.size)

    def extra_repr(self) -> str:
        """Show what was asked for."""
        return f'dim={self.dim}, size={self.size}, dtype={self.slots.dtype}, gather={self.gather}'
