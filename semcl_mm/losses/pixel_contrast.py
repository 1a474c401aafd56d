"""Cross-image pixel contrast (Wang et al., ICCV 2021): from embedding maps to the loss."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from semcl_mm.losses.arguments import check_choice, check_positive
from semcl_mm.losses.key_sampling import KEY_SAMPLINGS, KeySampling
from semcl_mm.losses.pixel_drawing import pixel_contrast_drawn
from semcl_mm.losses.pixel_exact import pixel_contrast
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

__all__ = ['PixelContrastLoss', 'pixel_contrast']


class PixelContrastLoss(nn.Module):
    """Pixel contrast on dense embeddings: sample anchors, contrast them with keys.

    Defaults are the paper's. Keys come from a memory (cross-image contrast) or, without one, from
    the anchors of the mini-batch themselves. The authors' code without memory is
    ``anchor_mode='hard-easy', anchor_unit='image-category', anchors_per_class=100,
    max_anchors=1024, min_pixels=101``.

    Chance comes from torch's global generator of the embeddings' device, whose state is part of the
    runner's checkpoints: a resumed run draws what the unbroken one would have.

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
            memory: As in :meth:`forward`; one of kind 'none' counts as None.

        Raises:
            ValueError: For intra-image contrast with a memory.
        """
        if not anchors.numel():
            return anchors.sum() * 0
        if memory is None or not getattr(memory, 'slots_per_class', 1):
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
