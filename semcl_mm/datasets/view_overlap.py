"""Views of one photo that share a part of it, and where that part lies in each of them."""

from collections.abc import Sequence

import numpy as np

from semcl_mm.datasets.crops import Crop, central_crop, draw_crop
from semcl_mm.datasets.view_recipe import ViewRecipe

__all__ = ['draw_overlapping_crops', 'overlap_boxes']

_ATTEMPTS = 10


def draw_overlapping_crops(
    recipes: Sequence[ViewRecipe],
    height: int,
    width: int,
    size: int,
    min_overlap: float,
    rng: np.random.Generator,
) -> list[Crop]:
    """Draw one crop per recipe; with ``min_overlap``, the second shares a part with the first.

    The second crop is drawn until the common part is at least ``min_overlap`` of it, at most ten
    times; after that both become the same central crop, with a flip of their own (PixCon's
    code, after SlotCon's).

    Args:
        recipes: recipes of the views; exactly two where ``min_overlap`` is positive.
        height: rows of the image.
        width: columns of the image.
        size: side of a view in pixels.
        min_overlap: least share of the second view, in [0, 1]; 0 draws independent crops.
        rng: source of randomness.
    """
    if not min_overlap:
        return [draw_crop(recipe, height, width, size, rng) for recipe in recipes]
    one, two = recipes
    first = draw_crop(one, height, width, size, rng)
    for _ in range(_ATTEMPTS):
        second = draw_crop(two, height, width, size, rng)
        x1, y1, x2, y2 = overlap_boxes((first, second), size)[1]
        if (x2 - x1) * (y2 - y1) >= min_overlap:
            return [first, second]
    return [
        central_crop(one, height, width, size, bool(rng.random() < recipe.flip))
        for recipe in recipes
    ]


def overlap_boxes(crops: Sequence[Crop], size: int) -> np.ndarray:
    """Where the part that all views share lies in each view.

    Args:
        crops: cuts of V views of one photo.
        size: side of a view in pixels.

    Returns:
        Float32 array (V, 4): x1, y1, x2, y2 in [0, 1] of each view as it is shown, that is
        after its own flip; all zero where no part is common to all.
    """
    regions = np.array([crop.region(size) for crop in crops], dtype=np.float64)
    starts, sides = regions[:, :2], regions[:, 2:]
    start = starts.max(axis=0)
    sides_common = (starts + sides).min(axis=0) - start
    if (sides_common <= 0).any():
        return np.zeros((len(crops), 4), dtype=np.float32)
    low = (start - starts) / sides
    high = (start + sides_common - starts) / sides
    flipped = np.array([crop.flip for crop in crops])
    left = np.where(flipped, 1 - high[:, 1], low[:, 1])
    right = np.where(flipped, 1 - low[:, 1], high[:, 1])
    boxes = np.stack([left, low[:, 0], right, high[:, 0]], axis=1)
    return boxes.clip(0, 1).astype(np.float32)
