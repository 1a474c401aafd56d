"""Which cells of two views' maps show the same place, from the boxes of their common part.

Boxes are (B, 4), x1, y1, x2, y2 in [0, 1] of a view as it is shown, that is after its flip (see
:class:`semcl_mm.models.ViewBatch`). Everything is vectorised over images and knows any map size.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ['MASK_RULES', 'align_cells', 'has_area', 'in_box', 'nearest_cells']

MASK_RULES = ('floor', 'center')


def has_area(boxes: Tensor) -> Tensor:
    """Which boxes (B, 4) are not empty, (B,) bool."""
    return (boxes[:, 2:] > boxes[:, :2]).all(dim=1)


def in_box(boxes: Tensor, height: int, width: int, rule: str = 'center') -> Tensor:
    """Which cells of a map lie in the boxes.

    ``'floor'`` is PixCon's code: rows floor(h y1) up to and without floor(h y2), columns alike. It
    rounds both sides up or left, so that the mask of a mirrored view is in general not the
    mirrored mask, and a small box may hold no cell. ``'center'`` takes the cells whose centre is
    in the box: it commutes with flips, and its area is right on average.

    Args:
        boxes: (B, 4).
        height: Rows h of the map.
        width: Columns w of the map.
        rule: One of :data:`MASK_RULES`.

    Returns:
        (B, h * w) bool, row after row.

    Raises:
        ValueError: ``rule`` is unknown.
    """
    if rule not in MASK_RULES:
        raise ValueError(f'mask={rule!r} must be one of {list(MASK_RULES)}')

    def along(low: Tensor, high: Tensor, cells: int) -> Tensor:
        index = torch.arange(cells, device=boxes.device)
        if rule == 'floor':
            low, high = (low * cells).floor(), (high * cells).floor()
            return (index >= low[:, None]) & (index < high[:, None])
        center = (index + 0.5) / cells
        return (center > low[:, None]) & (center < high[:, None])

    x1, y1, x2, y2 = boxes.unbind(dim=1)
    rows, columns = along(y1, y2, height), along(x1, x2, width)
    return (rows[:, :, None] & columns[:, None, :]).flatten(1)


def nearest_cells(
    query_boxes: Tensor, key_boxes: Tensor, mirrored: Tensor, height: int, width: int
) -> Tensor:
    """The key view's cell that lies nearest in the photo, for each cell of the query view.

    Distances on a grid separate into rows and columns, so the nearest centre is the cell that
    holds the query's centre, whatever the views' scales and aspect ratios. Query cells beyond the
    key view get its border, those of an empty box any cell.

    Args:
        query_boxes: (B, 4), common part in the query views.
        key_boxes: (B, 4), common part in the key views.
        mirrored: (B,) bool, whether exactly one of the two views is flipped.
        height: Rows h of both maps.
        width: Columns w of both maps.

    Returns:
        (B, h * w) long, index into the key view's cells.
    """
    reflect = torch.stack([mirrored, torch.zeros_like(mirrored)], dim=1)  # columns alone
    low, high = query_boxes[:, :2], query_boxes[:, 2:]
    key_low, key_high = key_boxes[:, :2], key_boxes[:, 2:]
    start = torch.where(reflect, key_high, key_low)
    scale = torch.where(reflect, key_low - key_high, key_high - key_low)
    # An empty box has no scale: any finite number will do.
    scale = scale / torch.where(high > low, high - low, 1.0)

    def along(axis: int, cells: int) -> Tensor:
        center = (torch.arange(cells, device=low.device) + 0.5) / cells
        place = start[:, axis, None] + (center - low[:, axis, None]) * scale[:, axis, None]
        return (place * cells).floor().clamp(0, cells - 1).long()

    columns, rows = along(0, width), along(1, height)
    return (rows[:, :, None] * width + columns[:, None, :]).flatten(1)


def align_cells(maps: Tensor, boxes: Tensor, flipped: Tensor) -> Tensor:
    """Sample the boxes' content on a grid of the map's size, mirrored back where it was flipped.

    RoIAlign (aligned, one sample in a bin: a box is never larger than its map) as one bilinear
    sampling; the flip is undone by reading the columns from right to left.

    Args:
        maps: (B, C, h, w).
        boxes: (B, 4).
        flipped: (B,) bool.

    Returns:
        (B, C, h, w): cell (i, j) of two views shows the same place in the photo.
    """
    height, width = maps.shape[-2:]

    def along(low: Tensor, high: Tensor, cells: int) -> Tensor:
        center = (torch.arange(cells, device=low.device, dtype=low.dtype) + 0.5) / cells
        return 2 * torch.lerp(low[:, None], high[:, None], center) - 1

    x1, y1, x2, y2 = boxes.to(maps.dtype if maps.dtype == torch.float64 else torch.float32).T
    columns = along(torch.where(flipped, x2, x1), torch.where(flipped, x1, x2), width)
    rows = along(y1, y2, height)
    grid = torch.stack(
        [columns[:, None, :].expand(-1, height, -1), rows[:, :, None].expand(-1, -1, width)], dim=-1
    )
    return F.grid_sample(
        maps.to(grid.dtype), grid, mode='bilinear', padding_mode='border', align_corners=False
    )
