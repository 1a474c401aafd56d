"""Which cells of two views are compared."""

from typing import NamedTuple

from torch import Tensor

__all__ = ['Matches', 'rows']


class Matches(NamedTuple):
    """Query cells, their positives, and how much each counts.

    Attributes:
        query: (B, S, C) predictions of the asking view's cells.
        key: (B, T, C) embeddings of the other view's cells.
        index: (B, S) long: the positive of each query cell, in T.
        weights: (B, S) of the query cells; None counts each once.
        monitors: scalars that tell how the matching fares.
    """

    query: Tensor
    key: Tensor
    index: Tensor
    weights: Tensor | None
    monitors: dict[str, Tensor]


def rows(maps: Tensor) -> Tensor:
    """Cells of maps (B, C, h, w) as (B, h * w, C)."""
    return maps.flatten(2).mT
