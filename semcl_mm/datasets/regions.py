"""Areas and boxes of every value of a label map in one pass, and the rules that keep a region.

A label map is a few thousand horizontal runs, not a few hundred thousand pixels. Finding the runs
costs one comparison of neighbours; the histogram and all bounding boxes follow from the runs
alone, for any integer type and any number of values. Counting pixels value by value, as the
authors' generator does, costs a full pass for each of up to 182 classes.
"""

import math
from dataclasses import dataclass

import numpy as np

AREA_RULES = ('code', 'paper')


@dataclass(frozen=True)
class Runs:
    """Horizontal runs of equal value, in raster order; a run never crosses a row.

    Attributes:
        values: (R,) the label value of each run.
        starts: (R,) flat index of the first pixel.
        lengths: (R,) number of pixels.
        shape: (H, W) of the label map.
    """

    values: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray
    shape: tuple[int, int]

    def paint(self, values: np.ndarray) -> np.ndarray:
        """The map of shape (H, W) in which run r holds ``values[r]``."""
        return np.repeat(values, self.lengths).reshape(self.shape)


@dataclass(frozen=True)
class Regions:
    """What a label map holds: one row per distinct value, in ascending order of the value.

    Attributes:
        values: (R,) distinct values.
        areas: (R,) pixel counts.
        boxes: (R, 4) tight boxes x0, y0, x1, y1; the upper ends are exclusive.
        first: (R,) flat index of the first pixel in raster order.
    """

    values: np.ndarray
    areas: np.ndarray
    boxes: np.ndarray
    first: np.ndarray

    def __len__(self) -> int:
        return len(self.values)


def find_runs(label: np.ndarray) -> Runs:
    """Split a label map of shape (H, W), any integer type, into its horizontal runs."""
    height, width = label.shape
    flat = np.ascontiguousarray(label).reshape(-1)
    begins = np.empty(flat.size, dtype=bool)
    np.not_equal(flat[1:], flat[:-1], out=begins[1:])
    begins[::width] = True
    starts = np.flatnonzero(begins)
    lengths = np.empty_like(starts)
    np.subtract(starts[1:], starts[:-1], out=lengths[:-1])
    lengths[-1] = flat.size - starts[-1]
    return Runs(flat[starts], starts, lengths, (height, width))


def regions_of_runs(runs: Runs) -> Regions:
    """Areas and tight boxes of all values, from the runs of the map."""
    order = np.argsort(runs.values, kind='stable')
    values = runs.values[order]
    groups = np.flatnonzero(np.concatenate(([True], values[1:] != values[:-1])))
    starts, lengths = runs.starts[order], runs.lengths[order]
    rows, left = np.divmod(starts, runs.shape[1])
    last = np.append(groups[1:], len(values)) - 1
    # A stable sort keeps the raster order inside a value: its first run holds the top row.
    boxes = np.stack(
        [
            np.minimum.reduceat(left, groups),
            rows[groups],
            np.maximum.reduceat(left + lengths, groups),
            rows[last] + 1,
        ],
        axis=1,
    )
    return Regions(values[groups], np.add.reduceat(lengths, groups), boxes, starts[groups])


def find_regions(label: np.ndarray) -> Regions:
    """Areas and tight boxes of all values of a label map of shape (H, W)."""
    return regions_of_runs(find_runs(label))


def merge_regions(regions: Regions, keys: np.ndarray) -> Regions:
    """Join the regions that share a key, e.g. two label values of one class.

    Args:
        regions: R regions.
        keys: (R,) the value that each of them gets.

    Returns:
        One region per distinct key, in ascending order.
    """
    if (keys[1:] > keys[:-1]).all():
        return Regions(keys, regions.areas, regions.boxes, regions.first)
    distinct, group = np.unique(keys, return_inverse=True)
    areas = np.zeros(len(distinct), dtype=np.int64)
    np.add.at(areas, group, regions.areas)
    boxes = np.empty((len(distinct), 4), dtype=np.int64)
    boxes[:, :2], boxes[:, 2:] = np.iinfo(np.int64).max, 0
    np.minimum.at(boxes[:, :2], group, regions.boxes[:, :2])
    np.maximum.at(boxes[:, 2:], group, regions.boxes[:, 2:])
    first = np.full(len(distinct), np.iinfo(np.int64).max)
    np.minimum.at(first, group, regions.first)
    return Regions(distinct, areas, boxes, first)


def number_components(label: np.ndarray, background: int) -> np.ndarray:
    """Number the 8-connected components of all values of a map.

    Components count from 1 in the raster order of their first pixel, so the numbers in an index
    hold whatever library reads it. Runs are joined, not pixels, and without OpenCV, whose thread
    pool does not survive the fork into workers.

    Args:
        label: (H, W) integer map.
        background: value whose pixels get number 0.

    Returns:
        (H, W) int32 map of component numbers.
    """
    runs = find_runs(label)
    upper, lower = _touching_runs(runs)
    root = np.arange(len(runs.values))
    while True:
        # Hook the larger root of each edge to the smaller, then shorten all paths.
        a, b = root[upper], root[lower]
        if (a == b).all():
            break
        np.minimum.at(root, np.maximum(a, b), np.minimum(a, b))
        while (root[root] != root).any():
            root = root[root]
    # The root is the first run of its component, so ascending roots are in raster order.
    is_root = (root == np.arange(len(root))) & (runs.values != background)
    number = np.where(is_root, np.cumsum(is_root), 0).astype(np.int32)
    return runs.paint(number[root])


def _touching_runs(runs: Runs) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of runs of equal value in neighbouring rows that touch, at a corner at least."""
    height, width = runs.shape
    upper = np.flatnonzero(runs.starts < (height - 1) * width)
    below = runs.starts[upper] + width
    row = below // width * width
    left = np.maximum(below - 1, row)
    right = np.minimum(below + runs.lengths[upper], row + width - 1)
    first = np.searchsorted(runs.starts, left, side='right') - 1
    count = np.searchsorted(runs.starts, right, side='right') - first
    upper = np.repeat(upper, count)
    lower = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    lower += np.repeat(first, count)
    equal = runs.values[upper] == runs.values[lower]
    return upper[equal], lower[equal]


def large_enough(areas: np.ndarray, height: int, width: int, rule: str, share: float) -> np.ndarray:
    """Which regions become anchors.

    ``code`` is what SemCL's released generator does: more than ``share * rows * cols`` pixels,
    strictly, in double precision from left to right. ``paper`` is what SemCL's text says: a region
    of less than ``ceil(sqrt(share) h) * ceil(sqrt(share) w)`` pixels is dropped.

    Args:
        areas: (R,) pixel counts.
        height: rows of the label map.
        width: columns of the label map.
        rule: 'code' or 'paper'.
        share: threshold t in [0, 1), 0.01 in the paper.

    Returns:
        (R,) bool.

    Raises:
        ValueError: for an unknown rule or a share outside [0, 1).
    """
    if not 0 <= share < 1:
        raise ValueError(f'min_area is a share of the image in [0, 1), not {share}')
    if rule == 'code':
        return areas > share * height * width
    if rule == 'paper':
        side = math.sqrt(share)
        return areas >= max(1, math.ceil(side * height) * math.ceil(side * width))
    raise ValueError(f'area rule {rule!r}: choose one of {", ".join(AREA_RULES)}')
