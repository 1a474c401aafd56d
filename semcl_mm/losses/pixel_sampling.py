"""Which pixels are anchors, and which keys they meet: the sampling of pixel contrast (section 3.2).

Drawing without loops over images or classes and without host synchronisation: pixels are shuffled,
sorted by their group with a stable sort, and the first few of each group are read off into a table
of fixed shape (group, sample), with -1 where a group has fewer pixels.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from semcl_mm.losses.arguments import check_choice, check_positive

__all__ = [
    'ANCHOR_MODES',
    'ANCHOR_UNITS',
    'AnchorTable',
    'draw_per_group',
    'gather_pixels',
    'reads_are_free',
    'resize_labels',
    'sample_anchors',
    'spread_draw',
]

ANCHOR_MODES = ('random', 'segmentation-aware', 'hard-easy')
ANCHOR_UNITS = ('category', 'image-category')


class AnchorTable(NamedTuple):
    """Anchors of fixed number, whatever the labels are."""

    index: Tensor
    """(G, V) long: position in the flattened (B, H, W) map; 0 where there is no anchor."""
    labels: Tensor
    """(G, V) long: class of the anchor; -1 where there is none."""

    def compact(self) -> AnchorTable:
        """Return one row with the anchors that exist, as they lie in memory.

        Their number is read on the host; leave a table on a GPU as it is.
        """
        index, order = self.index[self.labels >= 0].sort()
        return AnchorTable(index[None], self.labels[self.labels >= 0][order][None])


def reads_are_free(x: Tensor) -> bool:
    """Whether values may be read on the host: on a CPU, where no device is waited for, in eager."""
    return x.device.type == 'cpu' and not torch.compiler.is_compiling()


def resize_labels(labels: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize integer maps (B, H, W) to ``size`` by nearest neighbour (pixel floor(i H / h))."""
    height, width = labels.shape[-2:]
    if (height, width) == tuple(size):
        return labels
    rows = torch.arange(size[0], device=labels.device) * height // size[0]
    columns = torch.arange(size[1], device=labels.device) * width // size[1]
    return labels[..., rows[:, None], columns]


def draw_per_group(
    groups: Tensor, num_groups: int, samples: int, generator: torch.Generator | None = None
) -> tuple[Tensor, Tensor]:
    """Draw up to ``samples`` members of each group, uniformly and without replacement.

    Args:
        groups: (N,) integers in [0, num_groups]; ``num_groups`` itself marks what is in no group.
        num_groups: G >= 1.
        samples: V >= 1, the width of the table.
        generator: Source of randomness on the device of ``groups``.

    Returns:
        The table (G, V) of indices into ``groups``, valid ones first and in random order, -1 where
        a group has fewer members; and the sizes (G,) of the groups.
    """
    total, device = len(groups), groups.device
    sizes = torch.zeros(num_groups + 1, dtype=torch.long, device=device)
    if total == 0:
        return sizes.new_full((num_groups, samples), -1), sizes[:-1]
    sizes.scatter_add_(0, groups.long(), torch.ones_like(groups, dtype=torch.long))
    shuffle = torch.randperm(total, generator=generator, device=device)
    # 16 and 32 bit keys take the radix sort, far faster on a CPU than 64 bit ones.
    small = torch.int16 if num_groups < 2**15 else torch.int32
    order = shuffle[torch.sort(groups.to(small)[shuffle], stable=True).indices]
    column = torch.arange(samples, device=device)
    position = (sizes.cumsum(0) - sizes)[:-1, None] + column
    table = order[position.clamp_(max=total - 1)]
    return table.masked_fill_(column >= sizes[:-1, None], -1), sizes[:-1]


def sample_anchors(
    labels: Tensor,
    predictions: Tensor | None,
    num_classes: int,
    per_class: int = 50,
    mode: str = 'segmentation-aware',
    unit: str = 'category',
    max_anchors: int | None = None,
    min_pixels: int = 1,
    generator: torch.Generator | None = None,
) -> AnchorTable:
    """Sample anchor pixels; one row of the table per class, or per image and class.

    The paper takes 50 pixels per category *of the mini-batch*, half of them hard (wrongly
    predicted), half random. The authors' code takes up to 100 per *image and category*, half hard
    and half easy (rightly predicted), from categories with more than 100 pixels in the image, and
    reduces the number evenly so that at most 1024 result: ``mode='hard-easy',
    unit='image-category', per_class=100, max_anchors=1024, min_pixels=101``.

    Args:
        labels: (B, H, W) integers; values outside [0, num_classes) are never anchors.
        predictions: (B, H, W) predicted classes; needed unless ``mode`` is 'random'.
        num_classes: C.
        per_class: V, anchors per row.
        mode: 'random'; 'segmentation-aware': up to half from wrongly predicted pixels, the rest
            at random from all others; 'hard-easy': half wrong, half right, either filling up
            for the other.
        unit: 'category' (G = C rows) or 'image-category' (G = B * C rows, image after image).
        max_anchors: Bound on all anchors together; each row then has at most
            ``max_anchors // rows with pixels``, but at least one.
        min_pixels: Rows with fewer pixels than this are left empty.
        generator: Source of randomness.

    Returns:
        An :class:`AnchorTable` of shape (G, V).

    Raises:
        ValueError: For an unknown mode or unit, maps of different shapes, or no predictions where
            they are needed.
    """
    check_choice('mode', mode, ANCHOR_MODES)
    check_choice('unit', unit, ANCHOR_UNITS)
    check_positive(num_classes=num_classes, per_class=per_class, min_pixels=min_pixels)
    if mode != 'random' and (predictions is None or predictions.shape != labels.shape):
        shape = None if predictions is None else tuple(predictions.shape)
        raise ValueError(
            f'mode {mode!r} needs predictions of the shape of labels {tuple(labels.shape)}, '
            f'got {shape}'
        )
    labels = labels.long()
    images = len(labels) if unit == 'image-category' else 1
    num_groups = images * num_classes
    counts = (labels >= 0) & (labels < num_classes)
    offset = torch.arange(images, device=labels.device)[:, None, None] * num_classes
    groups = torch.where(counts, labels + offset, num_groups).flatten()

    everything, sizes = draw_per_group(groups, num_groups, per_class, generator)
    quota = _quota(sizes, per_class, max_anchors, min_pixels)
    if mode == 'random':
        table = everything
    else:
        wrong = (predictions != labels).flatten()
        options = num_groups, per_class, generator
        hard = draw_per_group(torch.where(wrong, groups, num_groups), *options)
        if mode == 'hard-easy':
            easy = draw_per_group(torch.where(wrong, num_groups, groups), *options)
            table = _half_and_half(hard, easy, quota)
        else:
            table = _hard_then_any(hard[0], everything, quota)
    kept = (table >= 0) & (torch.arange(per_class, device=table.device) < quota[:, None])
    classes = torch.arange(num_classes, device=table.device).repeat(images)
    return AnchorTable(table.where(kept, 0), torch.where(kept, classes[:, None], -1))


def _quota(sizes: Tensor, per_class: int, max_anchors: int | None, min_pixels: int) -> Tensor:
    """Return how many anchors each group may have, (G,)."""
    present = sizes >= min_pixels
    quota = present * per_class
    if max_anchors is not None:
        share = (max_anchors // present.sum().clamp_min(1)).clamp_min(1)
        quota = torch.minimum(quota, share)
    return quota


def _half_and_half(
    hard: tuple[Tensor, Tensor], easy: tuple[Tensor, Tensor], quota: Tensor
) -> Tensor:
    """Half hard, half easy; where one kind is scarce the other fills up."""
    (hard_table, num_hard), (easy_table, num_easy) = hard, easy
    width = hard_table.shape[1]
    take = torch.minimum(num_hard, torch.maximum(quota // 2, quota - num_easy))[:, None]
    column = torch.arange(width, device=take.device).expand(len(take), width)
    source = torch.where(column < take, column, width + column - take)
    return torch.cat([hard_table, easy_table], dim=1).gather(1, source)


def _hard_then_any(hard: Tensor, everything: Tensor, quota: Tensor) -> Tensor:
    """Up to half hard ones, then random ones that were not taken yet.

    What is left of a random order after taking some members out is a random order of the rest.
    """
    column = torch.arange(hard.shape[1], device=hard.device)
    hard = hard.where(column < quota[:, None] // 2, -1)
    taken = (everything[:, :, None] == hard[:, None, :]).any(dim=2) | (everything < 0)
    both = torch.cat([hard, everything.where(~taken, -1)], dim=1)
    valid_first = torch.sort((both < 0).to(torch.uint8), dim=1, stable=True).indices
    return both.gather(1, valid_first[:, : hard.shape[1]])


def spread_draw(
    population: Tensor, samples: int, generator: torch.Generator | None = None
) -> tuple[Tensor, Tensor]:
    """Draw ``samples`` distinct numbers below each population size, evenly spread.

    One number is drawn from each of ``samples`` consecutive strata whose start is random, so that
    every number is equally likely; the cost does not depend on the population. A population of at
    most ``samples`` is taken whole.

    Args:
        population: (...) long, sizes >= 0.
        samples: n >= 1.
        generator: Source of randomness.

    Returns:
        Numbers (..., n), and (..., n) bool: False where the population is exhausted.
    """
    size = population[..., None]
    rank = torch.arange(samples, device=population.device)
    start = rank * size // samples
    length = (rank + 1) * size // samples - start
    chance = torch.rand(
        (*population.shape, samples + 1), generator=generator, device=population.device
    )
    within = torch.minimum((chance[..., 1:] * length).long(), length - 1)
    shift = (chance[..., :1].double() * size).long()
    spread = (start + within + shift) % size.clamp_min(1)
    whole = size <= samples
    return torch.where(whole, rank, spread), rank < size


class _GatherPixels(torch.autograd.Function):
    """Indexing whose gradient is scattered channel by channel, within a row of the map.

    The gradient of plain indexing jumps over all channels of the map for each pixel, which on a CPU
    takes ten times as long.
    """

    @staticmethod
    def forward(ctx, maps: Tensor, index: Tensor) -> Tensor:
        area = maps.shape[-2] * maps.shape[-1]
        ctx.save_for_backward(index)
        ctx.shape = maps.shape
        return maps.flatten(2)[index // area, :, index % area]

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None]:
        (index,) = ctx.saved_tensors
        images, dim, height, width = ctx.shape
        grad, index = grad.flatten(0, -2).T, index.flatten()
        result = grad.new_zeros(images, dim, height * width)
        image = torch.arange(images, device=index.device)[:, None, None]
        own = torch.where(index // (height * width) == image, grad, 0)
        result.scatter_add_(2, (index % (height * width)).expand(own.shape), own)
        return result.view(ctx.shape), None


def gather_pixels(maps: Tensor, index: Tensor) -> Tensor:
    """Return (..., D) vectors of (B, D, H, W) at positions (...) of the flattened (B, H, W)."""
    return _GatherPixels.apply(maps, index)
