"""Eq. 3 of pixel contrast where anchors and keys are in the order of classes, keys constant.

Own-class pairs then fill one rectangle per class: no pair needs a label comparison, and the logits
of the positives are kept from the pass over the negatives (1 / C of all pairs) instead of being
computed again. Value and gradient come out of one pass with two matrix products per block.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from semcl_mm.losses.positive_term import Pairing
from semcl_mm.losses.similarity import BLOCK_ELEMENTS, product

__all__ = ['segmented_contrast']


class _RunningSum:
    """Log-sum-exp of each anchor over blocks of negatives, and the mean of keys that it pulls at.

    The maximum so far is kept apart, so that nothing overflows at any temperature.
    """

    def __init__(self, anchors: Tensor) -> None:
        self.peak = anchors.new_full((len(anchors),), -torch.inf)
        self.total = torch.zeros_like(self.peak)
        self.pull = torch.zeros_like(anchors)

    def add(self, logits: Tensor, rows: Tensor, own: slice) -> None:
        """Add a block of logits (A, n) with keys (n, D); anchors ``own`` have no negative here."""
        logits[own] = 0
        peak = logits.amax(dim=1).to(self.peak.dtype)
        # One fused softmax is faster than exponentials and their sum, which is one over the largest
        # weight, because the largest exponential is exp(0).
        weights = logits.softmax(dim=1, dtype=self.peak.dtype)
        total = weights.amax(dim=1).reciprocal_()
        peak[own] = -torch.inf
        new_peak = torch.maximum(self.peak, peak)
        shift = torch.where(new_peak.isneginf(), 0.0, new_peak)
        keep, join = torch.exp(self.peak - shift), torch.exp(peak - shift).mul_(total)
        self.peak, self.total = new_peak, self.total * keep + join
        pull = product(weights, rows.T).to(self.pull.dtype)
        self.pull.mul_(keep[:, None]).addcmul_(pull, join[:, None])

    def result(self) -> tuple[Tensor, Tensor]:
        """Return the log-sum-exp (A,), minus infinity without negatives, and the mean (A, D)."""
        tiny = torch.finfo(self.total.dtype).tiny
        return self.peak + self.total.log(), self.pull / self.total.clamp_min(tiny)[:, None]


def _all_segments(pairing: Pairing) -> Iterator[tuple[slice, int, int]]:
    """Yield (own anchors, first key, end) over all keys that count, in blocks."""
    size = max(256, BLOCK_ELEMENTS // max(len(pairing.anchor_labels), 1))

    def chunks(own: slice, first: int, end: int) -> Iterator[tuple[slice, int, int]]:
        for start in range(first, end, size):
            yield own, start, min(start + size, end)

    at = pairing.first_key
    for first, end, key, last in pairing.segments:
        yield from chunks(slice(0, 0), at, key)
        yield from chunks(slice(first, end), key, last)
        at = last
    yield from chunks(slice(0, 0), at, len(pairing.key_labels))


class _SegmentedContrast(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx, anchors: Tensor, keys: Tensor, scale: float, pairing: Pairing, half: bool
    ) -> tuple[Tensor, Tensor]:
        scaled, dtype = anchors * scale, keys.dtype if half else anchors.dtype
        negatives, kept = _RunningSum(anchors), []
        for own, start, end in _all_segments(pairing):
            rows = pairing.rows(keys, pairing.index(start, end), dtype)
            logits = product(scaled, rows)
            if own.stop:
                kept.append((own, start, end, logits[own].clone()))
            negatives.add(logits, rows, own)
        total, mean = negatives.result()
        value, count, weight_sum = (torch.zeros_like(total) for _ in range(3))
        pull = torch.zeros_like(anchors)
        for own, start, end, logits in kept:
            margin = total[own, None] - logits
            value[own] += F.softplus(margin).sum(dim=1)
            weight = margin.sigmoid_()
            weight_sum[own] += weight.sum(dim=1)
            count[own] += end - start
            rows = pairing.rows(keys, pairing.index(start, end), dtype)
            pull[own] -= product(weight, rows.T)
        pull.addcmul_(mean, weight_sum[:, None])
        factor = 1 / count.clamp_min(1)
        ctx.save_for_backward(pull.mul_((factor * scale)[:, None]))
        ctx.mark_non_differentiable(count)
        return value * factor, count

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor, _):
        (pull,) = ctx.saved_tensors
        return grad[:, None] * pull, None, None, None, None


def segmented_contrast(
    anchors: Tensor, keys: Tensor, scale: float, pairing: Pairing, half: bool = False
) -> tuple[Tensor, Tensor]:
    """Return Eq. 3 for each anchor (A,) and the number of its positives (A,).

    Args:
        anchors: (A, D) unit vectors in the order of classes, float32 or float64.
        keys: (M, D), constant.
        scale: 1 / temperature.
        pairing: With ``segments``, and without ``anchor_rows`` and ``mask``.
        half: Multiply in the type of the keys (bfloat16) instead of raising them.
    """
    return _SegmentedContrast.apply(anchors, keys, scale, pairing, half)
