"""Eq. 3 of cross-image pixel contrast (Wang et al., ICCV 2021), exact over all keys."""

from __future__ import annotations

import torch
from torch import Tensor

from semcl_mm.losses.arguments import check_positive, check_shapes
from semcl_mm.losses.class_segments import segmented_contrast
from semcl_mm.losses.pixel_sampling import reads_are_free
from semcl_mm.losses.positive_term import Pairing, positive_term
from semcl_mm.losses.self_contrast import MOST_ANCHORS, self_contrast
from semcl_mm.losses.similarity import full_precision, normalise, streamed_logsumexp

__all__ = ['pixel_contrast']


def pixel_contrast(
    anchors: Tensor,
    anchor_labels: Tensor,
    keys: Tensor,
    key_labels: Tensor,
    temperature: float = 0.1,
    exclude_self: bool = False,
    *,
    anchor_images: Tensor | None = None,
    key_images: Tensor | None = None,
    normalise_keys: bool = True,
    half_products: bool = False,
) -> Tensor:
    r"""Pull pixels of a class together and push the other classes away (Eq. 3).

    .. math:: L_i = \frac{1}{|P_i|} \sum_{p \in P_i} -\log \frac{\exp(x_i \cdot k_p / \tau)}
              {\exp(x_i \cdot k_p / \tau) + \sum_{n \in N_i} \exp(x_i \cdot k_n / \tau)}

    Each denominator holds one positive and all negatives (unlike SupCon, where it holds all
    positives). The mean over positives is averaged over the anchors that have one; the paper's
    Eq. 4 sums over pixels, its code takes this mean. All keys take part and none is sampled, yet no
    (A, M) tensor is made: keys are visited in blocks.

    Embeddings are scaled to unit length here and nothing is detached; keys receive a gradient if
    they require one. Differentiable once.

    Args:
        anchors: (A, D).
        anchor_labels: (A,) integers; rows with a negative label do not count.
        keys: (M, D), for example a memory bank; bfloat16 is read as it is and raised block by
            block, so that the loss is exact for the bank as stored.
        key_labels: (M,) integers; rows with a negative label are neither positive nor negative.
        temperature: Positive; 0.1 in the paper.
        exclude_self: The keys are the anchors: row i of ``keys`` is no positive of anchor i.
        anchor_images: (A,) integers, with ``key_images``: only pairs of one image count (the
            intra-image contrast of Table 1). This alone makes an (A, M) mask of bools.
        key_images: (M,) integers.
        normalise_keys: False where the keys are known to be unit vectors, which saves a pass.
        half_products: Multiply by bfloat16 keys in bfloat16: on a CPU with such instructions about
            twice as fast, with logits rounded to three digits. Used where keys are constant and on
            the host; exact products everywhere else.

    Returns:
        Scalar, zero (with its graph) where no anchor has a positive.

    Raises:
        ValueError: For shapes that do not fit, ``exclude_self`` with different numbers of anchors
            and keys, images of one side only, or a temperature that is not positive.
    """
    check_positive(temperature=temperature)
    check_shapes(
        anchors=(anchors, 'A D'),
        anchor_labels=(anchor_labels, 'A'),
        keys=(keys, 'M D'),
        key_labels=(key_labels, 'M'),
        anchor_images=(anchor_images, 'A'),
        key_images=(key_images, 'M'),
    )
    if (anchor_images is None) != (key_images is None):
        raise ValueError('anchor_images and key_images go together; one of them is None')
    if exclude_self and len(anchors) != len(keys):
        raise ValueError(
            f'exclude_self needs the anchors as keys, got {len(anchors)} anchors and '
            f'{len(keys)} keys'
        )
    with full_precision(anchors):
        if (
            exclude_self
            and (keys is anchors and key_labels is anchor_labels and key_images is anchor_images)
            and len(anchors) <= MOST_ANCHORS
        ):
            return _among_anchors(anchors, anchor_labels, anchor_images, 1 / temperature)
        anchors = normalise(anchors)
        if keys.requires_grad and torch.is_grad_enabled():
            keys = normalise(keys).to(anchors.dtype)
            normalise_keys = False
        if not len(anchors) or not len(keys):
            return anchors.sum() * 0 + keys.sum() * 0
        pairing = Pairing(anchor_labels, key_labels, normalise_keys=normalise_keys)
        if exclude_self:
            pairing.anchor_rows = torch.arange(len(keys), device=keys.device)
        if anchor_images is not None:
            pairing.mask = anchor_images[:, None] == key_images
        if reads_are_free(anchors):
            anchors = _by_class(anchors, pairing)
        if not len(anchors):
            return anchors.sum() * 0 + keys.sum() * 0
        half_products = half_products and keys.dtype == torch.bfloat16
        value, count = _each_anchor(anchors, keys, 1 / temperature, pairing, half_products)
        return value.sum() / (count > 0).sum().clamp_min(1)


def _among_anchors(anchors: Tensor, labels: Tensor, images: Tensor | None, scale: float) -> Tensor:
    if not len(anchors):
        return anchors.sum() * 0
    value, count = self_contrast(normalise(anchors), labels, images, scale)
    return value.sum() / (count > 0).sum().clamp_min(1)


def _each_anchor(
    anchors: Tensor, keys: Tensor, scale: float, pairing: Pairing, half_products: bool
) -> tuple[Tensor, Tensor]:
    """Return Eq. 3 for each anchor and the number of its positives."""
    constant = not (keys.requires_grad and torch.is_grad_enabled())
    labels_decide = pairing.mask is None and pairing.anchor_rows is None
    if pairing.segments is not None and constant and labels_decide:
        return segmented_contrast(anchors, keys, scale, pairing, half_products)
    negatives = streamed_logsumexp(
        anchors,
        keys,
        scale,
        normalise_bank=pairing.normalise_keys,
        mask=pairing.mask,
        query_labels=pairing.anchor_labels,
        bank_labels=pairing.key_labels,
    )
    return positive_term(anchors, keys, negatives, scale, pairing)


def _by_class(anchors: Tensor, pairing: Pairing) -> Tensor:
    """Leave out anchors that do not count and bring anchors and keys into the order of classes.

    Positives then lie in one rectangle per class, so that only 1 / C of all pairs is visited for
    them. This reads class counts on the host, which costs nothing on a CPU; elsewhere every pair is
    visited a second time instead, without synchronisation.
    """
    labels, order = pairing.anchor_labels.long().sort(stable=True)
    order = order[labels >= 0]
    pairing.anchor_labels = pairing.anchor_labels[order]
    if pairing.anchor_rows is not None:
        pairing.anchor_rows = pairing.anchor_rows[order]
    if pairing.mask is not None:
        pairing.mask = pairing.mask[order]

    key_labels = pairing.key_labels
    if bool((key_labels[1:] < key_labels[:-1]).any()):
        key_labels, pairing.key_order = _small(key_labels).sort(stable=True)
    classes, counts = labels[labels >= 0].unique_consecutive(return_counts=True)
    ends = counts.cumsum(0)
    pairing.first_key = int((key_labels < 0).sum())
    first = torch.searchsorted(key_labels, classes.to(key_labels.dtype))
    last = torch.searchsorted(key_labels, classes.to(key_labels.dtype), right=True)
    rectangles = torch.stack([ends - counts, ends, first, last], dim=1)
    pairing.segments = [tuple(rectangle) for rectangle in rectangles.tolist()]
    return anchors[order]


def _small(labels: Tensor) -> Tensor:
    """Return labels as int32, which a CPU sorts much faster; below-zero ones stay below zero."""
    return labels.to(torch.int32)
