"""InfoNCE (van den Oord et al., 2018), in the forms that MoCo, SimCLR-like and SemCL code need."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semcl_mm.losses.arguments import check_positive, check_shapes
from semcl_mm.losses.similarity import full_precision, normalise, streamed_logsumexp

__all__ = ['InfoNCELoss', 'info_nce', 'info_nce_terms']


def info_nce(
    query: Tensor,
    key: Tensor,
    negatives: Tensor | None = None,
    temperature: float = 0.2,
    *,
    normalise_negatives: bool = True,
) -> Tensor:
    r"""Classify each query as its key among negatives (SemCL Eq. 2, MoCo Eq. 1).

    .. math:: L = \frac1N \sum_n -\log \frac{\exp(q_n \cdot k_n / \tau)}
              {\exp(q_n \cdot k_n / \tau) + \sum_i \exp(q_n \cdot k^-_i / \tau)}

    Embeddings are scaled to unit length here; nothing is detached. The factor 2 tau of MoCo v3 is
    not applied: it belongs to the algorithm. Shared negatives are streamed (see
    :func:`~semcl_mm.losses.similarity.streamed_logsumexp`), so a long queue costs no (N, K) tensor.

    Args:
        query: (N, C).
        key: (N, C), row n is the positive of query n.
        negatives: None: the other rows of ``key``; (K, C): shared by all queries; (N, K, C): each
            query's own.
        temperature: Positive.
        normalise_negatives: False where shared ones are known to be unit vectors, which saves a
            pass.

    Returns:
        Scalar, the mean over N; zero (with its graph) where there is no query or no negative.

    Raises:
        ValueError: For shapes that do not fit or a temperature that is not positive.
    """
    check_positive(temperature=temperature)
    own = negatives is not None and negatives.ndim == 3
    sizes = check_shapes(
        query=(query, 'N C'), key=(key, 'N C'), negatives=(negatives, 'N K C' if own else 'K C')
    )
    with full_precision(query):
        query, key = normalise(query), normalise(key)
        if sizes['N'] == 0:
            return query.sum() * 0 + key.sum() * 0
        if negatives is None:
            logits = query @ key.T / temperature
            return F.cross_entropy(logits, torch.arange(len(query), device=query.device))
        positive = (query * key).sum(dim=-1) / temperature
        if own:
            logits = torch.einsum('nc,nkc->nk', query, normalise(negatives)) / temperature
            return info_nce_terms(positive, logits.logsumexp(dim=-1)).mean()
        negative = streamed_logsumexp(
            query, negatives, 1 / temperature, normalise_bank=normalise_negatives
        )
        return info_nce_terms(positive, negative).mean()


def info_nce_terms(positive: Tensor, negative: Tensor) -> Tensor:
    r"""Return :math:`-\log (e^p / (e^p + e^n)) = \mathrm{softplus}(n - p)`, elementwise.

    Args:
        positive: Positive logits p.
        negative: Log-sum-exp n of the negative logits; minus infinity (no negatives) gives zero.
    """
    # Beyond the threshold softplus is replaced by the identity. The default, 20, is an error of
    # 2e-9, visible in float64.
    return F.softplus(negative - positive, threshold=50)


class InfoNCELoss(nn.Module):
    """Module form of :func:`info_nce`.

    Args:
        temperature: Positive.
        loss_weight: Factor on the loss.
    """

    def __init__(self, temperature: float = 0.2, loss_weight: float = 1.0) -> None:
        super().__init__()
        check_positive(temperature=temperature)
        self.temperature, self.loss_weight = temperature, loss_weight

    def forward(self, query: Tensor, key: Tensor, negatives: Tensor | None = None) -> Tensor:
        """See :func:`info_nce`."""
        return self.loss_weight * info_nce(query, key, negatives, self.temperature)
