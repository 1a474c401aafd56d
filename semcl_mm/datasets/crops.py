"""Where a view is cut from a photo, and the cutting."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from semcl_mm.datasets.view_recipe import ViewRecipe

__all__ = ['Crop', 'Region', 'central_crop', 'cut', 'draw_crop', 'resize', 'to_planes']

_ATTEMPTS = 10


class Region(NamedTuple):
    """A rectangle in pixels of the image, edges as real numbers (pixel 0 spans 0…1)."""

    top: float
    left: float
    height: float
    width: float


class Crop(NamedTuple):
    """A cut: take the box (top, left, height, width), resize it, keep a square window of that.

    Attributes:
        top: first row of the box in pixels of the image; left, height, width alike.
        left: see ``top``.
        height: see ``top``.
        width: see ``top``.
        resized: (height, width) that the box is resized to.
        window: (top, left) of the kept square within the resized box.
        flip: whether the square is mirrored.
    """

    top: int
    left: int
    height: int
    width: int
    resized: tuple[int, int]
    window: tuple[int, int]
    flip: bool

    def region(self, size: int) -> Region:
        """The part of the image that the view of ``size`` x ``size`` pixels shows."""
        row_scale, column_scale = self.height / self.resized[0], self.width / self.resized[1]
        return Region(
            self.top + self.window[0] * row_scale,
            self.left + self.window[1] * column_scale,
            size * row_scale,
            size * column_scale,
        )


def draw_crop(
    recipe: ViewRecipe, height: int, width: int, size: int, rng: np.random.Generator
) -> Crop:
    """Draw where a view is cut from an image of ``height`` x ``width`` pixels.

    The draws follow torchvision's ``Resize`` + ``RandomCrop`` and ``RandomResizedCrop``.
    """
    if recipe.crop == 'resize_short':
        return _short_side_crop(recipe, height, width, size, rng)
    return _random_resized_crop(recipe, height, width, size, rng)


def central_crop(recipe: ViewRecipe, height: int, width: int, size: int, flip: bool) -> Crop:
    """The largest central box whose width / height the recipe allows."""
    ratio = min(max(width / height, recipe.ratio[0]), recipe.ratio[1])
    box_height = min(height, round(width / ratio))
    box_width = min(width, round(height * ratio))
    top, left = (height - box_height) // 2, (width - box_width) // 2
    return Crop(top, left, box_height, box_width, (size, size), (0, 0), flip)


def _short_side_crop(recipe, height, width, size, rng) -> Crop:
    short = min(height, width)
    resized = (int(size * height / short), int(size * width / short))
    window = tuple(int(rng.integers(side - size + 1)) for side in resized)
    return Crop(0, 0, height, width, resized, window, bool(rng.random() < recipe.flip))


def _random_resized_crop(recipe, height, width, size, rng) -> Crop:
    low, high = math.log(recipe.ratio[0]), math.log(recipe.ratio[1])
    for _ in range(_ATTEMPTS):
        area = height * width * rng.uniform(*recipe.scale)
        ratio = math.exp(rng.uniform(low, high))
        box_height, box_width = round(math.sqrt(area / ratio)), round(math.sqrt(area * ratio))
        if 0 < box_width <= width and 0 < box_height <= height:
            top = int(rng.integers(height - box_height + 1))
            left = int(rng.integers(width - box_width + 1))
            flip = bool(rng.random() < recipe.flip)
            return Crop(top, left, box_height, box_width, (size, size), (0, 0), flip)
    # An image so long that no box fits.
    return central_crop(recipe, height, width, size, bool(rng.random() < recipe.flip))


def cut(image: np.ndarray, crop: Crop, size: int) -> np.ndarray:
    """Cut one view: uint8 RGB image (H, W, 3) to (S, S, 3)."""
    box = image[crop.top : crop.top + crop.height, crop.left : crop.left + crop.width]
    return resize(box[None], crop, size)[0]


def resize(boxes: np.ndarray, crop: Crop, size: int) -> np.ndarray:
    """Bring boxes that were cut from an image to the view's size, and mirror them.

    The resize is antialiased and bilinear, and equals Pillow's within one grey level.

    Args:
        boxes: uint8 array (R, height, width, 3) of the crop's box.
        crop: the view's cut.
        size: side S of the view in pixels.

    Returns:
        Uint8 array (R, S, S, 3).
    """
    # A permuted view of interleaved pixels is 'channels last', the layout of PyTorch's fast kernel.
    pixels = torch.from_numpy(boxes).permute(0, 3, 1, 2)
    pixels = F.interpolate(pixels, crop.resized, mode='bilinear', antialias=True)
    views = pixels.permute(0, 2, 3, 1).numpy()
    top, left = crop.window
    views = views[:, top : top + size, left : left + size]
    if crop.flip:
        views = cv2.flip(views.reshape(-1, size, 3), 1).reshape(-1, size, size, 3)
    return views


def to_planes(views: Sequence[np.ndarray]) -> torch.Tensor:
    """Interleaved views R x (S, S, 3) to a planar uint8 tensor (R, 3, S, S)."""
    planar = np.empty((len(views), 3, *views[0].shape[:2]), dtype=np.uint8)
    for view, target in zip(views, planar, strict=True):
        cv2.split(view, list(target))
    return torch.from_numpy(planar)
