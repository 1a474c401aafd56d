"""Cross-image pixel contrast (Wang et al., ICCV 2021), exact over all keys."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from semcl_mm.losses.arguments import check_choice, check_positive, check_shapes
from semcl_mm.losses.class_segments import segmented_contrast
from semcl_mm.losses.key_sampling import KEY_SAMPLINGS, KeySampling
from semcl_mm.losses.pixel_drawing import pixel_contrast_drawn
from semcl_mm.losses.pixel_mining import pixel_contrast_mined
from semcl_mm.losses.pixel_sampling import (
    ANCHOR_MODES,
    ANCHOR_UNITS,
    AnchorTable,
    draw_per_group,
    gather_pixels,
    reads_are_free,
    resize_labels,
    sample_anchors,
)
from semcl_mm.losses.positive_term import Pairing, positive_term
from semcl_mm.losses.self_contrast import MOST_ANCHORS, self_contrast
from semcl_mm.losses.similarity import full_precision, normalise, streamed_logsumexp

__all__ = ['PixelContrastLoss', 'pixel_contrast']


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


class PixelContrastLoss(nn.Module):
    """Pixel contrast on dense embeddings: sample anchors, contrast them with keys.

    Defaults are the paper's. Keys come from a memory (cross-image contrast) or, without one, from
    the anchors of the mini-batch themselves. The authors' code without memory is
    ``anchor_mode='hard-easy', anchor_unit='image-category', anchors_per_class=100,
    max_anchors=1024, min_pixels=101``.

    Args:
        num_classes: C.
        temperature: Positive.
        anchors_per_class: V.
        anchor_mode: 'random', 'segmentation-aware' or 'hard-easy'; see
            :func:`~semcl_mm.losses.pixel_sampling.sample_anchors`, also for the next three.
        anchor_unit: 'category' or 'image-category'.
        max_anchors: Bound on all anchors, None for none.
        min_pixels: Least number of pixels of a class.
        key_sampling: 'all' keys of the memory, 'random', 'hardest' or 'semi-hard' ones.
        key_scope: Where the latter are sought: 'drawn' (in a random subset of the memory, at a cost
            that its size does not enter) or 'memory' (ranking all of it; 'hardest' needs this).
        num_positives: K for positives.
        num_negatives: K for negatives.
        hard_fraction: Share of the memory that counts as hard for 'semi-hard'.
        half_products: See :func:`pixel_contrast`; for 'all' or drawn keys.
        intra_image: Contrast only pixels of one image (a row of Table 1); without memory only.
        ignore_index: Label that is no class.
        loss_weight: Factor on the loss, lambda in the paper (1).
    """

    def __init__(
        self,
        num_classes: int,
        temperature: float = 0.1,
        anchors_per_class: int = 50,
        anchor_mode: str = 'segmentation-aware',
        anchor_unit: str = 'category',
        max_anchors: int | None = None,
        min_pixels: int = 1,
        key_sampling: str = 'semi-hard',
        key_scope: str = 'drawn',
        num_positives: int = 1024,
        num_negatives: int = 2048,
        hard_fraction: float = 0.1,
        half_products: bool = False,
        intra_image: bool = False,
        ignore_index: int = 255,
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__()
        check_positive(
            num_classes=num_classes,
            temperature=temperature,
            anchors_per_class=anchors_per_class,
            min_pixels=min_pixels,
        )
        check_choice('anchor_mode', anchor_mode, ANCHOR_MODES)
        check_choice('anchor_unit', anchor_unit, ANCHOR_UNITS)
        check_choice('key_sampling', key_sampling, ('all', *KEY_SAMPLINGS))
        check_choice('key_scope', key_scope, ('drawn', 'memory'))
        if key_sampling == 'hardest' and key_scope == 'drawn':
            raise ValueError("key_sampling 'hardest' needs key_scope 'memory', got 'drawn'")
        self.num_classes, self.temperature = num_classes, temperature
        self.anchors = dict(
            per_class=anchors_per_class,
            mode=anchor_mode,
            unit=anchor_unit,
            max_anchors=max_anchors,
            min_pixels=min_pixels,
        )
        self.sampling = None
        if key_sampling != 'all':
            self.sampling = KeySampling(key_sampling, num_positives, num_negatives, hard_fraction)
        self.half_products = half_products
        self.key_scope, self.intra_image = key_scope, intra_image
        self.ignore_index, self.loss_weight = ignore_index, loss_weight

    def forward(
        self,
        embeddings: Tensor,
        labels: Tensor,
        predictions: Tensor | None = None,
        memory: nn.Module | None = None,
    ) -> Tensor:
        """Return the weighted loss.

        Args:
            embeddings: (B, D, H, W), of any length.
            labels: (B, H', W') integers, resized to (H, W) by nearest neighbour.
            predictions: (B, H'', W'') predicted classes, or (B, C, H'', W'') scores; needed unless
                anchors are random.
            memory: A :class:`~semcl_mm.memory.RegionMemoryBank`, or None.
        """
        table = self.sample(labels, predictions, tuple(embeddings.shape[-2:]))
        if reads_are_free(embeddings):
            table = table.compact()
        area = embeddings[0, 0].numel()
        return self.contrast(gather_pixels(embeddings, table.index), table, area, memory)

    def sample(
        self, labels: Tensor, predictions: Tensor | None, size: tuple[int, int]
    ) -> AnchorTable:
        """Sample anchors on maps of ``size``; see :meth:`forward` for the arguments."""
        labels = resize_labels(labels, size)
        labels = labels.where(labels != self.ignore_index, -1)
        if predictions is not None and predictions.ndim == 4:
            predictions = predictions.argmax(dim=1)
        if predictions is not None:
            predictions = resize_labels(predictions, size)
        return sample_anchors(labels, predictions, self.num_classes, **self.anchors)

    def contrast(
        self, anchors: Tensor, table: AnchorTable, area: int, memory: nn.Module | None = None
    ) -> Tensor:
        """Return the weighted loss of anchors that were gathered already.

        Args:
            anchors: (G, V, D), the embeddings at ``table.index``.
            table: What :meth:`sample` returned, compact or not.
            area: H * W of the map that it was sampled on.
            memory: As in :meth:`forward`.

        Raises:
            ValueError: For intra-image contrast with a memory.
        """
        if not anchors.numel():
            return anchors.sum() * 0
        if memory is None:
            loss = self._within_batch(anchors, table, area)
        elif self.intra_image:
            raise ValueError('intra_image contrasts pixels of one image; leave out the memory')
        elif self.sampling is not None and self.key_scope == 'drawn':
            loss = self._with_drawn_keys(anchors, table, memory)
        else:
            features, classes = memory.keys()
            flat = anchors.flatten(0, 1), table.labels.flatten(), features, classes
            if self.sampling is None:
                loss = pixel_contrast(
                    *flat,
                    self.temperature,
                    normalise_keys=False,
                    half_products=self.half_products,
                )
            else:
                loss = pixel_contrast_mined(
                    *flat, self.temperature, self.sampling, normalise_keys=False
                )
        return loss * self.loss_weight

    def _within_batch(self, anchors: Tensor, table: AnchorTable, area: int) -> Tensor:
        anchors, labels = anchors.flatten(0, 1), table.labels.flatten()
        images = table.index.flatten() // area if self.intra_image else None
        return pixel_contrast(
            anchors,
            labels,
            anchors,
            labels,
            self.temperature,
            exclude_self=True,
            anchor_images=images,
            key_images=images,
        )

    def _with_drawn_keys(self, anchors: Tensor, table: AnchorTable, memory: nn.Module) -> Tensor:
        if len(table.labels) % self.num_classes == 0:
            # Rows of one class side by side: (B * C, V) -> (C, B * V).
            images = len(table.labels) // self.num_classes
            anchors = anchors.unflatten(0, (images, -1)).transpose(0, 1).flatten(1, 2)
            valid = (table.labels >= 0).unflatten(0, (images, -1)).transpose(0, 1).flatten(1)
        else:
            anchors, valid = self._rows_of_classes(anchors.flatten(0, 1), table.labels.flatten())
        return pixel_contrast_drawn(
            anchors,
            valid,
            memory,
            self.temperature,
            self.sampling,
            half_products=self.half_products,
        )

    def _rows_of_classes(self, anchors: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return (C, V, D) and (C, V) bool, as wide as the largest class; reads it on the host."""
        width = int(torch.bincount(labels).max())
        table, _ = draw_per_group(labels, self.num_classes, width)
        return anchors[table.clamp_min(0)], table >= 0
