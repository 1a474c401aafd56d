"""Cycle attention of CACL (AAAI 2022): jump to the other frame and back to where you began."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from semcl_mm.losses.arguments import check_positive, check_shapes
from semcl_mm.losses.similarity import as_float, full_precision, normalise, streamed_logsumexp

__all__ = ['CycleAttentionLoss', 'cycle_attention']


def cycle_attention(
    features: Tensor,
    features_next: Tensor,
    temperature: float = 0.07,
    negatives: Tensor | None = None,
    soft_target: Tensor | None = None,
    *,
    normalise_negatives: bool = True,
) -> Tensor:
    r"""Maximise the probability that two jumps between frames lead back (CACL Eq. 5-6).

    .. math::
        A^{12}_{ij} = \mathrm{softmax}_j(c_i \cdot c^+_j / \tau), \quad
        A^{21}_{jm} = \mathrm{softmax}_m(c^+_j \cdot [c; Q]_m / \tau), \quad
        M = A^{12} A^{21}

    hard: :math:`-\frac{1}{BL}\sum_{b,i} \log M_{ii}`; soft, with target T:
    :math:`\frac{1}{BL}\sum_{b,i} \sum_{m \le L} T_{im} (\log T_{im} - \log M_{im})`. The target is
    zero on the queue's columns, so probability that leaks to the queue is penalised.

    Only the L columns of M that a target can touch are made, and the queue enters through the
    normaliser of the jump back alone, which is streamed: nothing has the size L x K. The hard form
    needs no matrix product either. Code that follows this line of work adds 1e-20 inside the
    logarithm, which cuts the gradient of paths less likely than that; here it is taken in the log
    domain and is exact. (The soft form sums products of shifted probabilities; these cannot
    underflow for temperatures down to 0.025, in float64 down to 0.003. Below 0.025 float64 is used,
    and what still underflows counts as the smallest positive number.)

    Args:
        features: c, (B, L, C), cells of one frame.
        features_next: c+, (B, L, C), cells of the other frame.
        temperature: Positive.
        negatives: Q, (K, C), any floating point type: cells of other videos.
        soft_target: T, (B, L, L), rows are distributions over the cells of the first frame; None
            is the identity (hard).
        normalise_negatives: False where they are known to be unit vectors, which saves a pass.

    Returns:
        Scalar; zero (with its graph) where there is no cell.

    Raises:
        ValueError: For shapes that do not fit or a temperature that is not positive.
    """
    check_positive(temperature=temperature)
    sizes = check_shapes(
        features=(features, 'B L C'),
        features_next=(features_next, 'B L C'),
        negatives=(negatives, 'K C'),
        soft_target=(soft_target, 'B L L'),
    )
    with full_precision(features):
        features, features_next = normalise(features), normalise(features_next)
        if sizes['B'] * sizes['L'] == 0:
            return features.sum() * 0 + features_next.sum() * 0
        logits = features @ features_next.mT / temperature  # (B, i or m, j)
        back = logits.logsumexp(dim=1)  # (B, j), normaliser of the jump back
        if negatives is not None:
            queue = streamed_logsumexp(
                features_next.flatten(0, 1),
                negatives,
                1 / temperature,
                normalise_bank=normalise_negatives,
            )
            back = torch.logaddexp(back, queue.view_as(back))
        if soft_target is None:
            forth = logits.logsumexp(dim=2)  # (B, i), normaliser of the first jump
            log_return = (2 * logits - back[:, None]).logsumexp(dim=2) - forth
            return -log_return.mean()
        log_cycle = _log_matmul(logits.log_softmax(dim=2), logits - back[:, None], temperature)
        target = as_float(soft_target)
        return (_x_log_x(target) - target * log_cycle).sum(dim=-1).mean()


def _log_matmul(log_forth: Tensor, log_back: Tensor, temperature: float) -> Tensor:
    """Return log(exp(log_forth) @ exp(log_back).mT), (B, i, m) from (B, i, j) and (B, m, j).

    At the j where the way back is likeliest, the way forth is at most 2 / temperature below its own
    maximum, since cosines lie in [-1, 1]. With both shifted by their maxima the product is thus at
    least exp(-2 / temperature), which decides the type without a look at the data.
    """
    dtype = log_forth.dtype
    if 2 / temperature > 80:
        log_forth, log_back = log_forth.double(), log_back.double()
    peak_forth = log_forth.amax(dim=-1, keepdim=True)
    peak_back = log_back.amax(dim=-1, keepdim=True)
    product = (log_forth - peak_forth).exp() @ (log_back - peak_back).exp().mT
    smallest = torch.finfo(product.dtype).tiny
    return (product.clamp_min(smallest).log() + peak_forth + peak_back.mT).to(dtype)


def _x_log_x(x: Tensor) -> Tensor:
    """Return x log x, zero with a zero gradient at x = 0."""
    positive = x > 0
    return torch.where(positive, x * torch.where(positive, x, 1.0).log(), 0.0)


class CycleAttentionLoss(nn.Module):
    """Module form of :func:`cycle_attention`.

    Args:
        temperature: Positive.
        loss_weight: Factor on the loss.
    """

    def __init__(self, temperature: float = 0.07, loss_weight: float = 1.0) -> None:
        super().__init__()
        check_positive(temperature=temperature)
        self.temperature, self.loss_weight = temperature, loss_weight

    def forward(
        self,
        features: Tensor,
        features_next: Tensor,
        negatives: Tensor | None = None,
        soft_target: Tensor | None = None,
    ) -> Tensor:
        """See :func:`cycle_attention`."""
        return self.loss_weight * cycle_attention(
            features, features_next, self.temperature, negatives, soft_target
        )
