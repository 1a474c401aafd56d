r"""The mean over positives of :math:`\mathrm{softplus}(\ell_i - s_{ip})`, streamed over the keys.

With :math:`\ell_i` the log-sum-exp of anchor i over its *negatives* and :math:`s_{ip}` its logit
with positive p, Eq. 3 of pixel contrast is exactly

.. math:: L_i = \frac{1}{|P_i|} \sum_{p \in P_i} -\log \frac{e^{s_{ip}}}{e^{s_{ip}} + e^{\ell_i}}
              = \frac{1}{|P_i|} \sum_{p \in P_i} \mathrm{softplus}(\ell_i - s_{ip}),

finite for any number of negatives, none included. Value and the gradients with respect to anchors
and :math:`\ell` come out of one pass over the positives.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from semcl_mm.losses.similarity import BLOCK_ELEMENTS, DEVICE_FACTOR, full_precision, normalise

__all__ = ['Pairing', 'positive_term']


@dataclass
class Pairing:
    """Which keys are the positives of which anchors, and where to look for them."""

    anchor_labels: Tensor
    """(A,) classes, negative: no anchor."""
    key_labels: Tensor
    """(M,) classes, negative: no key."""
    anchor_rows: Tensor | None = None
    """(A,) own row of each anchor among the keys, which is no positive; None: there is none."""
    mask: Tensor | None = None
    """(A, M) bool, False: no pair; None: labels decide alone."""
    key_order: Tensor | None = None
    """Order in which keys are visited; None: as they lie."""
    segments: list[tuple[int, int, int, int]] | None = None
    """Rectangles (first anchor, end, first key, end), positions in the order of keys, outside of
    which there is no positive; None: one rectangle with everything."""
    first_key: int = 0
    """Number of keys, in that order, which come first and are of no class (with segments)."""
    normalise_keys: bool = True

    def index(self, start: int, end: int) -> slice | Tensor:
        """Return where the keys at positions start:end of the order lie."""
        keys = slice(start, end)
        return keys if self.key_order is None else self.key_order[keys]

    def blocks(self) -> Iterator[tuple[slice, slice | Tensor]]:
        """Yield anchors and keys, a bounded number of pairs at a time."""
        whole = [(0, len(self.anchor_labels), 0, len(self.key_labels))]
        on_cpu = self.anchor_labels.device.type == 'cpu'
        most = BLOCK_ELEMENTS * (1 if on_cpu else DEVICE_FACTOR)
        for first, end, key, last in self.segments if self.segments is not None else whole:
            size = max(256, most // max(end - first, 1))
            for start in range(key, last, size):
                yield slice(first, end), self.index(start, min(start + size, last))

    def rows(self, keys: Tensor, index: slice | Tensor, dtype: torch.dtype) -> Tensor:
        """Return the keys of a block as unit vectors of a type."""
        rows = keys[index]
        return (normalise(rows) if self.normalise_keys else rows).to(dtype)

    def positives(self, anchors: slice, index: slice | Tensor) -> Tensor:
        """Return (anchors, keys) bool: which pairs of a block count."""
        labels = self.anchor_labels[anchors, None]
        member = (labels == self.key_labels[index]) & (labels >= 0)
        if self.anchor_rows is not None:
            if isinstance(index, slice):
                index = torch.arange(index.start, index.stop, device=member.device)
            member &= self.anchor_rows[anchors, None] != index
        if self.mask is not None:
            member &= self.mask[anchors][:, index]
        return member


class _PositiveTerm(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx, anchors: Tensor, keys: Tensor, negatives: Tensor, scale: float, pairing: Pairing
    ) -> tuple[Tensor, Tensor]:
        value = torch.zeros_like(negatives)
        count, pull_negatives = torch.zeros_like(value), torch.zeros_like(value)
        pull = torch.zeros_like(anchors)
        for part, index in pairing.blocks():
            rows = pairing.rows(keys, index, anchors.dtype)
            margin = negatives[part, None] - (anchors[part] * scale) @ rows.T
            member = pairing.positives(part, index).to(margin.dtype)
            count[part] += member.sum(dim=1)
            value[part] += (F.softplus(margin) * member).sum(dim=1)
            weight = margin.sigmoid_().mul_(member)
            pull_negatives[part] += weight.sum(dim=1)
            pull[part].addmm_(weight, rows, alpha=-scale)
        mean = 1 / count.clamp_min(1)
        ctx.scale, ctx.pairing = scale, pairing
        recompute = (anchors, keys, negatives, mean) if ctx.needs_input_grad[1] else ()
        ctx.save_for_backward(pull.mul_(mean[:, None]), pull_negatives.mul_(mean), *recompute)
        ctx.mark_non_differentiable(count)
        return value * mean, count

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor, _):
        with full_precision(grad):
            pull, pull_negatives, *recompute = ctx.saved_tensors
            grad_keys = None
            if recompute:
                grad_keys = _key_gradient(grad, *recompute, ctx.scale, ctx.pairing)
            return grad[:, None] * pull, grad_keys, grad * pull_negatives, None, None


def _key_gradient(
    grad: Tensor,
    anchors: Tensor,
    keys: Tensor,
    negatives: Tensor,
    mean: Tensor,
    scale: float,
    pairing: Pairing,
) -> Tensor:
    """Return the keys' gradient (M, D) = -scale * weights.T @ (grad * anchors / |P|)."""
    pushed = anchors * (grad * mean * -scale)[:, None]
    result = torch.zeros_like(keys)
    for part, index in pairing.blocks():
        rows = pairing.rows(keys, index, anchors.dtype)
        weight = (negatives[part, None] - (anchors[part] * scale) @ rows.T).sigmoid_()
        weight.mul_(pairing.positives(part, index))
        result[index] = weight.T @ pushed[part]
    return result


def positive_term(
    anchors: Tensor, keys: Tensor, negatives: Tensor, scale: float, pairing: Pairing
) -> tuple[Tensor, Tensor]:
    """Return the mean over positives of softplus(negatives - logit), and how many there are.

    Args:
        anchors: (A, D) unit vectors, float32 or float64.
        keys: (M, D), any floating point type; if they require a gradient they must be unit
            vectors in the anchors' type already (``pairing.normalise_keys=False``).
        negatives: (A,) log-sum-exp over each anchor's negatives; may be minus infinity.
        scale: Factor on the inner products, 1 / temperature.
        pairing: Which pairs are positive.

    Returns:
        (A,), zero for an anchor without positives, and the number of positives (A,).
    """
    return _PositiveTerm.apply(anchors, keys, negatives, scale, pairing)
