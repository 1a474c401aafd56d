"""Numbers that show a collapse before the loss does."""

import torch
from torch import Tensor

from semcl_mm.losses.similarity import normalise

__all__ = ['spread']


@torch.no_grad()
def spread(embeddings: Tensor, dim: int = 0) -> Tensor:
    """Standard deviation of unit embeddings over the samples, times sqrt(C).

    Args:
        embeddings: (..., C), scaled to unit length here.
        dim: Dimension of the samples, at least two.

    Returns:
        Scalar on the embeddings' device: 1 is spread evenly over the sphere, 0 is collapsed.
    """
    return normalise(embeddings).std(dim=dim).mean() * embeddings.shape[-1] ** 0.5
