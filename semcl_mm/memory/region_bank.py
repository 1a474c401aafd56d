"""The memory bank of pixel contrast: a pixel queue and a region memory per class (section 3.2)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from semcl_mm.distributed import all_gather
from semcl_mm.losses.arguments import check_choice
from semcl_mm.losses.pixel_sampling import reads_are_free, resize_labels, spread_draw
from semcl_mm.losses.similarity import full_precision
from semcl_mm.memory.contributions import pick_pixels, pool_regions
from semcl_mm.memory.staged import StagedMemory, check_storage

__all__ = ['MEMORY_KINDS', 'RegionMemoryBank']

MEMORY_KINDS = ('both', 'pixel', 'region', 'none')


class RegionMemoryBank(StagedMemory):
    r"""Unit embeddings of pixels and regions, class by class.

    *Region memory*: image n has one slot per class, which holds the mean embedding of the class in
    that image, scaled to unit length. *Pixel memory*: a ring of ``pixels_per_class`` slots per
    class, to which each image adds ``pixels_per_image`` random pixels of the class; the pointer
    moves by as many as were written, and the oldest are overwritten first.

    Only slots that were written are ever keys. Class 0 is a class like any other. The paper uses
    T = 10 N pixel slots a class, C (N + T) D numbers: 0.6 GB in float32 for Cityscapes but 17 GB
    for COCO-Stuff; there a smaller ``pixels_per_class`` (with ``dtype=torch.bfloat16``) is a
    deviation that the memory of the machine decides.

    A write waits until the next read (:class:`~semcl_mm.memory.staged.StagedMemory`): ``update``
    may be called before or after backward.

    Args:
        num_classes: C.
        dim: D, length of an embedding.
        num_images: N, region slots per class. An image index beyond wraps around (modulo N).
        pixels_per_class: T, pixel slots per class.
        pixels_per_image: V, pixels that an image adds per class.
        memory: 'both', 'pixel', 'region' or 'none' (nothing is stored, no key comes out).
        dtype: How embeddings are stored; bfloat16 halves the memory.
        ignore_index: Label that is no class. All labels outside [0, C) are left out as well.
        persistent: Whether the bank is part of the state dict. Without it checkpoints are smaller,
            and a resumed run starts with an empty bank.
        gather: Store what all ranks bring, in rank order, so that all ranks hold the same bank.
            Every rank must then bring equally many images.

    Raises:
        ValueError: For sizes below 1 or an unknown kind of memory.
    """

    def __init__(
        self,
        num_classes: int,
        dim: int,
        num_images: int,
        pixels_per_class: int,
        pixels_per_image: int = 10,
        memory: str = 'both',
        dtype: torch.dtype = torch.float32,
        ignore_index: int = 255,
        persistent: bool = True,
        gather: bool = True,
    ) -> None:
        super().__init__(persistent)
        check_choice('memory', memory, MEMORY_KINDS)
        check_storage(
            dtype,
            num_classes=num_classes,
            dim=dim,
            num_images=num_images,
            pixels_per_class=pixels_per_class,
            pixels_per_image=pixels_per_image,
        )
        self.num_classes, self.dim, self.memory = num_classes, dim, memory
        self.pixels_per_image, self.ignore_index, self.gather = (
            pixels_per_image,
            ignore_index,
            gather,
        )
        self.region_slots = num_images if memory in ('both', 'region') else 0
        self.pixel_slots = pixels_per_class if memory in ('both', 'pixel') else 0
        self.slots_per_class = self.region_slots + self.pixel_slots
        rows = num_classes * self.slots_per_class
        self.hold(
            # Class after class, regions before pixels; the last row takes what is not to be kept.
            slots=torch.zeros(rows + 1, dim, dtype=dtype),
            pixel_pointer=torch.zeros(num_classes, dtype=torch.long),
            pixel_filled=torch.zeros(num_classes, dtype=torch.long),
            region_filled=torch.zeros(num_classes * self.region_slots + 1, dtype=torch.bool),
            # Region slots in the order in which they were first filled, to draw among them.
            region_order=torch.zeros(num_classes * self.region_slots + 1, dtype=torch.int32),
            region_count=torch.zeros(num_classes, dtype=torch.long),
        )

    @property
    def valid(self) -> Tensor:
        """(C, N + T) bool: slots that hold an embedding."""
        self.flush()
        region = self.region_filled[:-1].view(self.num_classes, self.region_slots)
        slot = torch.arange(self.pixel_slots, device=self.slots.device)
        return torch.cat([region, slot < self.pixel_filled[:, None]], dim=1)

    def keys(self) -> tuple[Tensor, Tensor]:
        """Return all slots (M, D), a view, and their classes (M,), -1 where a slot is empty."""
        valid = self.valid
        classes = torch.arange(self.num_classes, device=valid.device)[:, None]
        return self.slots[:-1], torch.where(valid, classes, -1).flatten()

    def keys_by_class(self) -> tuple[Tensor, Tensor]:
        """Return all slots (C, N + T, D), a view, and which of them are filled, (C, N + T)."""
        valid = self.valid
        return self.slots[:-1].view(self.num_classes, self.slots_per_class, self.dim), valid

    def counts(self) -> Tensor:
        """Return the number of filled slots per class, (C,)."""
        self.flush()
        return self.region_count + self.pixel_filled

    def draw(self, samples: int, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Draw filled slots of any class, each equally likely, at a cost that T and N do not enter.

        Returns:
            Embeddings (samples, D), distinct, and their classes (samples,), -1 where fewer slots
            are filled than asked for.
        """
        ends = self.counts().cumsum(0)
        if not self.slots_per_class:
            return self.slots.expand(samples, -1), self.pixel_filled.new_full((samples,), -1)
        position, valid = spread_draw(ends[-1], samples, generator)
        classes = torch.searchsorted(ends, position, right=True).clamp_(max=self.num_classes - 1)
        before = torch.where(classes > 0, ends[(classes - 1).clamp_min(0)], 0)
        row = self._row(classes, position - before)
        return self._rows(row, valid), classes.where(valid, -1)

    def draw_per_class(
        self,
        samples: int,
        generator: torch.Generator | None = None,
        classes: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Draw filled slots of each class, or of ``classes`` (K,) alone; see :meth:`draw`.

        Returns:
            Embeddings (K, samples, D), and (K, samples) bool: False where a class has fewer. Of one
            class on the host that is taken whole: all its N + T slots, a view, in their own order.
        """
        counts = self.counts()
        if classes is None:
            classes = torch.arange(self.num_classes, device=counts.device)
        whole = 0 < self.slots_per_class <= samples
        if whole and len(classes) == 1 and reads_are_free(counts):
            (number,) = classes.tolist()
            slots, valid = self.keys_by_class()
            return slots[number, None], valid[number, None]
        position, valid = spread_draw(counts[classes], samples, generator)
        row = self._row(classes[:, None].expand_as(position), position)
        return self._rows(row, valid), valid

    def _rows(self, row: Tensor, valid: Tensor) -> Tensor:
        """Return the slots at ``row`` (...), zeros where not ``valid``, as (..., D)."""
        row = row.where(valid, len(self.slots) - 1)
        return self.slots.index_select(0, row.flatten()).view(*row.shape, self.dim)

    def _row(self, classes: Tensor, position: Tensor) -> Tensor:
        """Return the row of the ``position``-th filled slot of a class, regions before pixels."""
        count = self.region_count[classes]
        ordered = (classes * self.region_slots + position).clamp_(max=len(self.region_order) - 1)
        slot = torch.where(
            position < count,
            self.region_order[ordered].long(),
            self.region_slots + position - count,
        )
        return classes * self.slots_per_class + slot

    @torch.no_grad()
    def update(
        self,
        embeddings: Tensor,
        labels: Tensor,
        image_index: Tensor | None = None,
        generator: torch.Generator | None = None,
        project: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        """Add a batch of images.

        Args:
            embeddings: (B, D, H, W); a region's embedding is the mean of them as given, which for
                the paper is a mean of unit vectors. With ``project``: (B, K, H, W) features.
            labels: (B, H', W') integers, resized to (H, W) by nearest neighbour.
            image_index: (B,) position of each image in the training set; negative: in no slot.
                Of the same slot twice in a batch the last one stays. Not needed without region
                memory.
            generator: Source of randomness for the choice of pixels.
            project: (..., K) features -> (..., D) embeddings, applied to the pixels that are kept
                and to no other. Not with a region memory: the mean of unit vectors needs the
                length of each embedding, so that all of them have to be made.

        Raises:
            ValueError: If the shapes do not fit, there is no image index but a region memory, or
                ``project`` and a region memory.
        """
        self._check(embeddings, labels, image_index, project is not None)
        if self.memory == 'none':
            return
        with full_precision(embeddings):
            payload = self._prepare(embeddings.detach(), labels, image_index, generator, project)
        self.stage(*(all_gather(part) if self.gather else part for part in payload))

    def _prepare(
        self,
        embeddings: Tensor,
        labels: Tensor,
        image_index: Tensor | None,
        generator: torch.Generator | None,
        project: Callable[[Tensor], Tensor] | None,
    ) -> list[Tensor]:
        """Return what this rank adds, in shapes that depend on the batch size alone."""
        height, width = embeddings.shape[-2:]
        labels = resize_labels(labels, (height, width)).flatten(1).long()
        counts = (labels >= 0) & (labels < self.num_classes) & (labels != self.ignore_index)
        labels = labels.where(counts, self.num_classes)
        embeddings = embeddings.flatten(2)
        payload = []
        if self.pixel_slots:
            of = self.num_classes, self.pixels_per_image
            pixels, exist = pick_pixels(embeddings, labels, *of, generator, project)
            payload += [pixels.to(self.slots.dtype), exist]
        if self.region_slots:
            regions, exist = pool_regions(embeddings, labels, self.num_classes)
            payload += [regions.to(self.slots.dtype), exist, image_index.to(labels.device)]
        return payload

    def _check(
        self, embeddings: Tensor, labels: Tensor, image_index: Tensor | None, projected: bool
    ) -> None:
        shape = tuple(embeddings.shape)
        if projected and self.region_slots:
            raise ValueError('a region memory needs embeddings of all pixels: leave out project')
        if len(shape) != 4 or (shape[1] != self.dim and not projected):
            raise ValueError(f'embeddings must be (B, {self.dim}, H, W), got {shape}')
        if labels.ndim != 3 or len(labels) != shape[0]:
            raise ValueError(f'labels must be ({shape[0]}, H, W), got {tuple(labels.shape)}')
        if self.region_slots and (image_index is None or tuple(image_index.shape) != shape[:1]):
            given = None if image_index is None else tuple(image_index.shape)
            raise ValueError(f'image_index must be ({shape[0]},) for a region memory, got {given}')

    def write(self, *payload: Tensor) -> None:
        """Write what :meth:`update` prepared, image after image."""
        if self.pixel_slots:
            self._write_pixels(*payload[:2])
        if self.region_slots:
            self._write_regions(*payload[-3:])
        self.slots[-1].zero_()

    def _write_pixels(self, pixels: Tensor, exists: Tensor) -> None:
        """Write (B, C, V, D) where ``exists`` (B, C, V), in the order of images."""
        pixels = pixels.transpose(0, 1).flatten(1, 2).to(self.slots)
        exists = exists.transpose(0, 1).flatten(1).to(self.slots.device).bool()
        age = exists.cumsum(dim=1)  # 1 for the first that is written
        number = age[:, -1:]
        kept = exists & (age > number - self.pixel_slots)  # of more than T the last T
        slot = (self.pixel_pointer[:, None] + age - 1) % self.pixel_slots
        first = torch.arange(self.num_classes, device=slot.device)[:, None] * self.slots_per_class
        row = (first + self.region_slots + slot).where(kept, len(self.slots) - 1)
        self.slots.index_copy_(0, row.flatten(), pixels.flatten(0, 1))
        number = number.squeeze(1)
        self.pixel_pointer.add_(number).remainder_(self.pixel_slots)
        self.pixel_filled.add_(number).clamp_(max=self.pixel_slots)

    def _write_regions(self, regions: Tensor, exists: Tensor, image_index: Tensor) -> None:
        """Write (B, C, D) where ``exists`` (B, C) into the slots of ``image_index`` (B,)."""
        device, last = self.slots.device, len(self.region_order) - 1
        exists, image_index = exists.to(device).bool(), image_index.to(device).long()
        slot = image_index % self.region_slots
        order = torch.arange(len(slot), device=device)
        later_twin = (slot[:, None] == slot) & (order[:, None] < order) & (image_index >= 0)
        replaced = (later_twin.float() @ exists.float()) > 0
        kept = exists & ~replaced & (image_index >= 0)[:, None]
        classes = torch.arange(self.num_classes, device=device)
        row = classes * self.slots_per_class + slot[:, None]
        row = row.where(kept, len(self.slots) - 1)
        self.slots.index_copy_(0, row.flatten(), regions.flatten(0, 1).to(self.slots))

        place = (classes * self.region_slots + slot[:, None]).where(kept, last)
        new = kept & ~self.region_filled[place]
        position = self.region_count + new.cumsum(dim=0) - 1
        position = (classes * self.region_slots + position).where(new, last)
        self.region_order[position] = slot[:, None].int().expand_as(position)
        self.region_filled[place] = True
        self.region_filled[-1] = False
        self.region_count.add_(new.sum(dim=0))
