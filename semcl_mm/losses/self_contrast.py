"""Eq. 3 of pixel contrast among the anchors themselves: contrast within a mini-batch.

Where anchors are the keys, each logit stands for two pairs, so that one matrix product makes all
logits and a second one the whole gradient. This holds (A, A) tensors: for a bounded number of
anchors, such as the thousand of a mini-batch.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from semcl_mm.losses.similarity import product

__all__ = ['MOST_ANCHORS', 'self_contrast']

MOST_ANCHORS = 2048
"""Up to so many anchors an (A, A) tensor is a small one (16 MiB in float32)."""


class _SelfContrast(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx, anchors: Tensor, labels: Tensor, images: Tensor | None, scale: float
    ) -> tuple[Tensor, Tensor]:
        logits = product(anchors * scale, anchors)
        same, counts = labels[:, None] == labels, (labels >= 0)[:, None] & (labels >= 0)
        if images is not None:
            counts &= images[:, None] == images
        negatives = torch.where(counts & ~same, logits, -torch.inf)
        total = negatives.logsumexp(dim=1, keepdim=True)
        positive = counts & same
        positive.fill_diagonal_(False)
        number = positive.count_nonzero(dim=1).to(logits.dtype)
        # Softplus and sigmoid of minus infinity are zero.
        margin = torch.where(positive, total - logits, -torch.inf)
        value = F.softplus(margin).sum(dim=1) / number.clamp_min(1)
        weight = margin.sigmoid_()
        share = negatives.sub_(total.masked_fill(total.isneginf(), 0)).exp_()
        share.mul_(weight.sum(dim=1, keepdim=True)).sub_(weight)
        share.mul_(scale / number.clamp_min(1)[:, None])
        ctx.save_for_backward(anchors, share)
        ctx.mark_non_differentiable(number)
        return value, number

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor, _):
        anchors, by_logit = ctx.saved_tensors
        by_logit = by_logit * grad[:, None]
        return product(by_logit + by_logit.T, anchors.T), None, None, None


def self_contrast(
    anchors: Tensor, labels: Tensor, images: Tensor | None, scale: float
) -> tuple[Tensor, Tensor]:
    """Return Eq. 3 for each anchor (A,) with all other anchors as keys, and its positives' number.

    Args:
        anchors: (A, D) unit vectors, float32 or float64.
        labels: (A,) integers, negative: does not count.
        images: (A,) integers, only pairs of one image count; None: all pairs.
        scale: 1 / temperature.
    """
    return _SelfContrast.apply(anchors, labels, images, scale)
