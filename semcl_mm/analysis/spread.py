"""Numbers that show whether features have collapsed."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ['collapse_metrics', 'effective_rank']


@torch.no_grad()
def effective_rank(features: Tensor) -> Tensor:
    """Exponential of the entropy of the singular values, scaled to sum to one.

    Roy and Vetterli (EUSIPCO 2007), of the centred features: 0 where all rows are equal, 1 on a
    line, and at most min(N - 1, C).

    Args:
        features: (N, C).

    Returns:
        Scalar, in float64 on the features' device.
    """
    centred = features.double() - features.double().mean(dim=0)
    values = torch.linalg.svdvals(centred)
    total = values.sum()
    share = values / total.clamp(min=torch.finfo(values.dtype).tiny)
    # What rounding leaves of equal rows is no spread.
    scale = torch.finfo(features.dtype).eps * features.double().abs().max() * len(features)
    rank = torch.special.entr(share).sum().exp()
    return torch.where(total > scale, rank, torch.zeros_like(rank))


@torch.no_grad()
def collapse_metrics(features: Tensor) -> dict[str, float]:
    """How far features of different images are apart.

    Args:
        features: (N, C), N >= 2, not normalised.

    Returns:
        ``feature_std``: standard deviation of the unit vectors over the samples, averaged over the
        channels, times sqrt(C): about 1 where directions are spread evenly, 0 collapsed;
        ``mean_cosine``: mean cosine of two different samples, 1 collapsed;
        ``effective_rank``: see :func:`effective_rank`;
        ``dead_channels``: share of channels with one value for all samples.

    Raises:
        ValueError: There are fewer than two samples.
    """
    samples, channels = features.shape
    if samples < 2:
        raise ValueError(f'the spread of {samples} features is not defined')
    unit = F.normalize(features.float(), dim=1)
    std = unit.std(dim=0).mean() * channels**0.5
    cosine = (unit.sum(dim=0).square().sum() - unit.square().sum()) / (samples * (samples - 1))
    dead = (features == features[:1]).all(dim=0).float().mean()
    numbers = torch.stack([std.double(), cosine.double(), effective_rank(features), dead.double()])
    names = ('feature_std', 'mean_cosine', 'effective_rank', 'dead_channels')
    return dict(zip(names, numbers.tolist(), strict=True))
