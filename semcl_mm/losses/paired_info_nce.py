"""Paired InfoNCE of SemCL (ICCV 2023): an anchor against its own environment, and nothing else."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from semcl_mm.losses.arguments import check_choice, check_positive, check_shapes
from semcl_mm.losses.info_nce import info_nce_terms
from semcl_mm.losses.similarity import full_precision, normalise

__all__ = ['PairedInfoNCELoss', 'paired_info_nce']

PAIRINGS = ('cyclic', 'triangular')


def paired_info_nce(
    queries: Tensor,
    positives: Tensor,
    negatives: Tensor,
    temperature: float = 0.2,
    pairing: str = 'cyclic',
) -> Tensor:
    r"""Contrast the views of each sample with that sample's own negatives (SemCL Eq. 3).

    .. math:: L = \sum_{(t, j)} \frac1N \sum_n -\log \frac{\exp(q_{tn} \cdot k^+_{jn} / \tau)}
              {\exp(q_{tn} \cdot k^+_{jn} / \tau) + \sum_w \exp(q_{tn} \cdot k^-_{wn} / \tau)}

    Every denominator holds one positive and the W negatives of the same sample n. This is one half:
    the authors' code adds a second call in which anchors and environments change places, and the
    paper's Eq. 3 is the anchor half alone. The loss is summed over (t, j), as in both.

    Args:
        queries: (V, N, C), view first.
        positives: (V, N, C), keys of the same role.
        negatives: (W, N, C), keys of the other role; W need not equal V.
        temperature: Positive.
        pairing: 'triangular': all 0 <= t < j < V (the paper); 'cyclic': t -> (t + 1) % V (the
            authors' code). The default follows the code, because the published weights do.

    Returns:
        Scalar; zero (with its graph) where there are no samples or no negatives.

    Raises:
        ValueError: For shapes that do not fit, fewer than two views, an unknown pairing or a
            temperature that is not positive.
    """
    check_positive(temperature=temperature)
    check_choice('pairing', pairing, PAIRINGS)
    sizes = check_shapes(
        queries=(queries, 'V N C'), positives=(positives, 'V N C'), negatives=(negatives, 'W N C')
    )
    views = sizes['V']
    if views < 2:
        raise ValueError(f'queries must hold at least two views, got {tuple(queries.shape)}')
    with full_precision(queries):
        queries, positives, negatives = map(normalise, (queries, positives, negatives))
        if sizes['N'] == 0:
            return queries.sum() * 0 + positives.sum() * 0 + negatives.sum() * 0
        positive = torch.einsum('tnc,jnc->tjn', queries, positives) / temperature
        negative = torch.einsum('tnc,wnc->wtn', queries, negatives) / temperature
        terms = info_nce_terms(positive, negative.logsumexp(dim=0)[:, None]).mean(dim=-1)
        return (terms * _pairs(views, pairing, terms)).sum()


def _pairs(views: int, pairing: str, like: Tensor) -> Tensor:
    """Return (V, V), one where query view t meets positive view j."""
    if pairing == 'triangular':
        return torch.ones_like(like).triu(diagonal=1)
    return torch.eye(views, dtype=like.dtype, device=like.device).roll(1, dims=1)


class PairedInfoNCELoss(nn.Module):
    """Module form of :func:`paired_info_nce`.

    Args:
        temperature: Positive.
        pairing: 'cyclic' (the authors' code) or 'triangular' (the paper's Eq. 3).
        loss_weight: Factor on the loss.
    """

    def __init__(
        self, temperature: float = 0.2, pairing: str = 'cyclic', loss_weight: float = 1.0
    ) -> None:
        super().__init__()
        check_positive(temperature=temperature)
        check_choice('pairing', pairing, PAIRINGS)
        self.temperature, self.pairing, self.loss_weight = temperature, pairing, loss_weight

    def forward(self, queries: Tensor, positives: Tensor, negatives: Tensor) -> Tensor:
        """See :func:`paired_info_nce`."""
        loss = paired_info_nce(queries, positives, negatives, self.temperature, self.pairing)
        return self.loss_weight * loss
