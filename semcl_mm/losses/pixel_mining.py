"""Pixel contrast with positives and negatives chosen among all keys, anchor by anchor.

This is what the paper describes, and its cost grows with the memory;
:mod:`~semcl_mm.losses.pixel_drawing` comes to the same expectation at a constant cost.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from semcl_mm.losses.arguments import check_positive, check_shapes
from semcl_mm.losses.key_sampling import KeySampling, mean_of_blocks
from semcl_mm.losses.similarity import as_float, full_precision, normalise, product

__all__ = ['pixel_contrast_mined']

BLOCK_ELEMENTS = 1 << 22
"""Logits held at a time (16 MiB in float32)."""

RAISED_ROWS = 1 << 14
"""Rows of a bfloat16 memory that are raised to the anchors' type at a time."""


class _Chosen(NamedTuple):
    """Keys chosen for each anchor."""

    logits: Tensor
    """(A, n) logits of the candidates."""
    index: Tensor
    """(A, k) chosen columns."""
    among: Tensor
    """(A, k) bool, which of them count."""

    def values(self, never: float) -> Tensor:
        """Return the chosen logits (A, k), ``never`` where one does not count."""
        return self.logits.gather(1, self.index).masked_fill_(~self.among, never)


def _terms(positives: _Chosen, negatives: _Chosen) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return Eq. 3 for each anchor, and its derivatives with respect to the chosen logits.

    Args:
        positives: Chosen positives.
        negatives: Chosen negatives.

    Returns:
        Loss (A,), whether there is a positive (A,), derivatives (A, k) for positives, negatives.
    """
    chosen = negatives.values(-torch.inf)
    total = chosen.logsumexp(dim=1, keepdim=True)
    share = chosen.sub_(total.masked_fill(total.isneginf(), 0)).exp_()
    margin = total - positives.values(torch.inf)  # softplus and sigmoid of -inf are zero
    number = positives.among.sum(dim=1, keepdim=True)
    value = F.softplus(margin).sum(dim=1) / number.squeeze(1).clamp_min(1)
    weight = margin.sigmoid_().div_(number.clamp_min(1))
    share.mul_(weight.sum(dim=1, keepdim=True))
    return value, number.squeeze(1) > 0, weight.neg_(), share


def _similarities(anchors: Tensor, keys: Tensor) -> Tensor:
    """Return ``anchors @ keys.T`` (A, M) in the anchors' type, without a copy of all keys."""
    if keys.dtype == anchors.dtype:
        return product(anchors, keys)
    return torch.cat(
        [product(anchors, rows.to(anchors.dtype)) for rows in keys.split(RAISED_ROWS)], 1
    )


def _weighted_sum(keys: Tensor, index: Tensor, weight: Tensor) -> Tensor:
    """Return the sum over k of ``weight`` (A, k) times the keys (n, D) at ``index`` (A, k)."""
    if not index.shape[1]:
        return weight.new_zeros(len(index), keys.shape[1])
    if keys.dtype != weight.dtype:
        return torch.stack(
            [row @ keys[chosen].to(row.dtype) for row, chosen in zip(weight, index, strict=True)]
        )
    return F.embedding_bag(index, keys, per_sample_weights=weight, mode='sum')


def pixel_contrast_mined(
    anchors: Tensor,
    anchor_labels: Tensor,
    keys: Tensor,
    key_labels: Tensor,
    temperature: float = 0.1,
    sampling: KeySampling | None = None,
    generator: torch.Generator | None = None,
    *,
    normalise_keys: bool = True,
) -> Tensor:
    """Eq. 3 over positives and negatives that are chosen among *all* keys, anchor by anchor.

    Keys are constants here: they receive no gradient. Anchors are visited in blocks, so that no
    (A, M) tensor is made; the time still grows with M.

    Args:
        anchors: (A, D), of any length; scaled to unit length here.
        anchor_labels: (A,) integers, negative: does not count.
        keys: (M, D), scaled to unit length here.
        key_labels: (M,) integers, negative: neither positive nor negative.
        temperature: Positive.
        sampling: How keys are chosen; the paper's semi-hard 1024 / 2048 by default.
        generator: Source of randomness.
        normalise_keys: False where the keys are known to be unit vectors, which saves a copy of
            them.

    Returns:
        Scalar, the mean over anchors with a positive; zero (with its graph) without one.

    Raises:
        ValueError: For shapes that do not fit or a temperature that is not positive.
    """
    sampling = sampling or KeySampling()
    check_positive(temperature=temperature)
    check_shapes(
        anchors=(anchors, 'A D'),
        anchor_labels=(anchor_labels, 'A'),
        keys=(keys, 'M D'),
        key_labels=(key_labels, 'M'),
    )
    keys = keys.detach()
    if normalise_keys:
        keys = normalise(keys).to(as_float(anchors).dtype)

    def block(part: Tensor, rows: slice) -> tuple[Tensor, Tensor, Tensor]:
        labels = anchor_labels[rows, None]
        logits = _similarities(part / temperature, keys)
        counts = (labels >= 0) & (key_labels >= 0)
        same, other = counts & (labels == key_labels), counts & (labels != key_labels)
        near = sampling.choose(logits, same, sampling.positives, False, generator)
        far = sampling.choose(logits, other, sampling.negatives, True, generator)
        value, has_positive, *weights = _terms(_Chosen(logits, *near), _Chosen(logits, *far))
        index, weight = torch.cat([near[0], far[0]], dim=1), torch.cat(weights, dim=1)
        return value, has_positive, _weighted_sum(keys, index, weight) / temperature

    with full_precision(anchors):
        anchors = normalise(anchors)
        if not len(anchors) or not len(keys):
            return anchors.sum() * 0
        size = max(1, BLOCK_ELEMENTS // len(keys))
        return mean_of_blocks(anchors, block, size)
