"""BYOL's loss: predict the direction of the target's embedding (Grill et al., NeurIPS 2020)."""

from __future__ import annotations

from torch import Tensor

from semcl_mm.losses.arguments import check_shapes
from semcl_mm.losses.similarity import full_precision, normalise

__all__ = ['cosine_regression']


def cosine_regression(query: Tensor, key: Tensor) -> Tensor:
    r"""Squared distance of unit vectors, :math:`\frac1N \sum_n 2 - 2 \cos(q_n, k_n)` (BYOL Eq. 2).

    Without negatives it collapses unless only ``query`` has a gradient and passes a predictor,
    which is the caller's choice.

    Args:
        query: (N, C).
        key: (N, C).

    Returns:
        Scalar in [0, 4]; zero (with its graph) where N is 0.

    Raises:
        ValueError: For shapes that do not fit.
    """
    sizes = check_shapes(query=(query, 'N C'), key=(key, 'N C'))
    with full_precision(query):
        cosine = (normalise(query) * normalise(key)).sum(dim=-1)
        return (2 - 2 * cosine).sum() / max(sizes['N'], 1)
