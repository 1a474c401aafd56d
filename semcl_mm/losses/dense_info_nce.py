"""Dense InfoNCE over matched cells: DenseCL (CVPR 2021), PixCon-Sim and PixCon-SR (WACV 2024)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from semcl_mm.losses.arguments import check_positive, check_shapes
from semcl_mm.losses.info_nce import info_nce_terms
from semcl_mm.losses.similarity import EPS, as_float, full_precision, normalise, streamed_logsumexp

__all__ = ['DenseInfoNCELoss', 'dense_info_nce', 'match_by_similarity', 'semantic_weights']


def match_by_similarity(query_features: Tensor, key_features: Tensor) -> tuple[Tensor, Tensor]:
    """Find, for each query cell, the key cell of the same image with the greatest cosine.

    PixCon and DenseCL match backbone features without a gradient; as everywhere in this package
    that is the caller's choice (``torch.no_grad``), and the similarity returned has its graph.

    Args:
        query_features: (N, S, C), cells of one view.
        key_features: (N, T, C), cells of the other view.

    Returns:
        index (N, S), long, into T; similarity (N, S), the cosine with that cell.

    Raises:
        ValueError: For shapes that do not fit, or without key cells.
    """
    sizes = check_shapes(
        query_features=(query_features, 'N S C'), key_features=(key_features, 'N T C')
    )
    if sizes['T'] == 0:
        raise ValueError(f'key_features must hold a cell, got {tuple(key_features.shape)}')
    with full_precision(query_features):
        cosine = normalise(query_features) @ normalise(key_features).mT
        similarity, index = cosine.max(dim=-1)
    return index, similarity


def semantic_weights(similarity: Tensor, in_box: Tensor, power: float = 2.0) -> Tensor:
    r"""Return PixCon-SR's weights: cells outside the views' overlap count by their similarity.

    One inside the overlap; outside, with the minimum over all cells of the image and the maximum
    over its cells outside,

    .. math:: w_i = \left(\frac{s_i - \min_j s_j}{\max_{j \notin box} s_j - \min_j s_j}\right)^p

    The authors' code divides zero by zero where all outside cells equal the minimum; here such
    cells get weight zero.

    Args:
        similarity: (N, S), from :func:`match_by_similarity`.
        in_box: (N, S), boolean, True inside the overlap.
        power: Not negative.

    Returns:
        (N, S) in [0, 1].

    Raises:
        ValueError: For shapes that do not fit, a mask that is not boolean or a negative power.
    """
    check_shapes(similarity=(similarity, 'N S'), in_box=(in_box, 'N S'))
    if in_box.dtype != torch.bool:
        raise ValueError(f'in_box must be boolean, got {in_box.dtype}')
    if not power >= 0:
        raise ValueError(f'power must not be negative, got {power}')
    similarity = as_float(similarity)
    if similarity.numel() == 0:
        return similarity
    lowest = similarity.amin(dim=-1, keepdim=True)
    # Inside cells are replaced by the minimum, which no maximum can prefer to an outside cell.
    highest = torch.where(in_box, lowest, similarity).amax(dim=-1, keepdim=True)
    relative = (similarity - lowest) / (highest - lowest).clamp_min(EPS)
    # An inside cell may lie far above ``highest``: clear it before the power, not after.
    return torch.where(in_box, 1.0, torch.where(in_box, 0.0, relative) ** power)


def dense_info_nce(
    query: Tensor,
    key: Tensor,
    match: Tensor,
    negatives: Tensor,
    temperature: float = 0.2,
    weights: Tensor | None = None,
    *,
    normalise_negatives: bool = True,
    half_products: bool = False,
) -> Tensor:
    r"""Contrast each query cell with its matched key cell against a queue of negatives.

    .. math:: \ell_i = -\log \frac{\exp(q_i \cdot k_{m(i)} / \tau)}{\exp(q_i \cdot k_{m(i)} / \tau)
              + \sum_r \exp(q_i \cdot n_r / \tau)}, \qquad L = \sum_i w_i \ell_i / \sum_i w_i

    The sums run over all cells of all images (PixCon's normaliser is the whole batch's, not each
    image's). The queue is streamed: no tensor of cells times queue, no copy of the queue, whether
    it is float32 or bfloat16.

    Args:
        query: (N, S, C), predictions of one view's cells.
        key: (N, T, C), targets of the other view's cells.
        match: (N, S), long, cell in T that is the positive of each query cell.
        negatives: (K, C), any floating point type; scaled to unit length on the way.
        temperature: Positive.
        weights: (N, S), not negative; None counts every cell once.
        normalise_negatives: False where they are known to be unit vectors, which saves a pass.
        half_products: Multiply by a bfloat16 queue in bfloat16, where the hardware does: faster,
            most of all with ``normalise_negatives=False``, with logits rounded to three digits.

    Returns:
        Scalar; zero (with its graph) where no cell counts.

    Raises:
        ValueError: For shapes or types that do not fit or a temperature that is not positive.
    """
    check_positive(temperature=temperature)
    sizes = check_shapes(
        query=(query, 'N S C'),
        key=(key, 'N T C'),
        match=(match, 'N S'),
        negatives=(negatives, 'K C'),
        weights=(weights, 'N S'),
    )
    if match.dtype != torch.int64:
        raise ValueError(f'match must hold int64 indices, got {match.dtype}')
    with full_precision(query):
        query = normalise(query)
        matched = normalise(key.gather(1, match[..., None].expand(-1, -1, sizes['C'])))
        positive = (query * matched).sum(dim=-1) / temperature
        negative = streamed_logsumexp(
            query.flatten(0, 1),
            negatives,
            1 / temperature,
            normalise_bank=normalise_negatives,
            half_products=half_products,
        )
        terms = info_nce_terms(positive, negative.view_as(positive))
        if weights is None:
            return terms.sum() / max(terms.numel(), 1)
        weights = weights.to(terms.dtype)
        return (weights * terms).sum() / weights.sum().clamp_min(torch.finfo(terms.dtype).tiny)


class DenseInfoNCELoss(nn.Module):
    """Module form of :func:`dense_info_nce`.

    Args:
        temperature: Positive.
        loss_weight: Factor on the loss.
        normalise_negatives: See :func:`dense_info_nce`.
        half_products: See :func:`dense_info_nce`.
    """

    def __init__(
        self,
        temperature: float = 0.2,
        loss_weight: float = 1.0,
        normalise_negatives: bool = True,
        half_products: bool = False,
    ) -> None:
        super().__init__()
        check_positive(temperature=temperature)
        self.temperature, self.loss_weight = temperature, loss_weight
        self.normalise_negatives, self.half_products = normalise_negatives, half_products

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        match: Tensor,
        negatives: Tensor,
        weights: Tensor | None = None,
    ) -> Tensor:
        """See :func:`dense_info_nce`."""
        loss = dense_info_nce(
            query,
            key,
            match,
            negatives,
            self.temperature,
            weights,
            normalise_negatives=self.normalise_negatives,
            half_products=self.half_products,
        )
        return self.loss_weight * loss
