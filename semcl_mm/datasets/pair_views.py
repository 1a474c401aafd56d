"""Geometry of a pair's views: where a view is cut, and how both roles come out of one cut."""

import math
from typing import NamedTuple

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from semcl_mm.datasets.view_recipe import ViewRecipe

__all__ = ['Crop', 'anchor_fraction', 'cut_roles', 'draw_crop']

_ATTEMPTS = 10


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


def draw_crop(
    recipe: ViewRecipe, height: int, width: int, size: int, rng: np.random.Generator
) -> Crop:
    """Draw where a view is cut from an image of ``height`` x ``width`` pixels.

    The draws follow torchvision's ``Resize`` + ``RandomCrop`` and ``RandomResizedCrop``.
    """
    if recipe.crop == 'resize_short':
        return _short_side_crop(recipe, height, width, size, rng)
    return _random_resized_crop(recipe, height, width, size, rng)


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
            break
    else:  # an image so long that no box fits: the largest central one of an allowed ratio
        ratio = min(max(width / height, recipe.ratio[0]), recipe.ratio[1])
        box_height = min(height, round(width / ratio))
        box_width = min(width, round(height * ratio))
        top, left = (height - box_height) // 2, (width - box_width) // 2
    flip = bool(rng.random() < recipe.flip)
    return Crop(top, left, box_height, box_width, (size, size), (0, 0), flip)


def anchor_fraction(mask: np.ndarray, crop: Crop, size: int) -> float:
    """Share of a view that the anchor covers, in [0, 1], counted in pixels of the image.

    Args:
        mask: bool or uint8 array (H, W), non-zero on the anchor.
        crop: the view's cut.
        size: side of the view in pixels.
    """
    row_scale, column_scale = crop.height / crop.resized[0], crop.width / crop.resized[1]
    top = crop.top + int(crop.window[0] * row_scale)
    left = crop.left + int(crop.window[1] * column_scale)
    # Rounded outwards: a view is called empty only if no pixel of the anchor can show in it.
    bottom = crop.top + min(math.ceil((crop.window[0] + size) * row_scale), crop.height)
    right = crop.left + min(math.ceil((crop.window[1] + size) * column_scale), crop.width)
    inside = mask[top:bottom, left:right]
    return cv2.countNonZero(inside.view(np.uint8)) / inside.size


def cut_roles(
    image: np.ndarray,
    mask: np.ndarray,
    crop: Crop,
    size: int,
    fill: np.ndarray | tuple[int, int, int] = (0, 0, 0),
) -> np.ndarray:
    """Cut anchor and ¬anchor of one view: crop, then mask, then resize.

    Masking between crop and resize leaves the soft edges of the authors' exported pairs; the
    resize is antialiased and bilinear, and equals Pillow's within one grey level.

    Args:
        image: uint8 RGB array (H, W, 3).
        mask: bool or uint8 array (H, W) of zeros and ones, one on the anchor.
        crop: the view's cut.
        size: side S of the view in pixels.
        fill: what is seen outside of a role: a colour, or an array that broadcasts to
            (2, height, width, 3) of the box.

    Returns:
        Uint8 array (2, S, S, 3): anchor, ¬anchor.
    """
    box = np.s_[crop.top : crop.top + crop.height, crop.left : crop.left + crop.width]
    content, inside = image[box], mask[box].view(np.uint8)
    roles = np.empty((2, crop.height, crop.width, 3), dtype=np.uint8)
    if isinstance(fill, tuple) and not any(fill):
        roles[0] = 0
        cv2.copyTo(content, inside, roles[0])
        cv2.subtract(content, roles[0], dst=roles[1])
    else:
        roles[:] = fill
        cv2.copyTo(content, inside, roles[0])
        cv2.copyTo(content, 1 - inside, roles[1])
    return _resize(roles, crop, size)


def _resize(roles: np.ndarray, crop: Crop, size: int) -> np.ndarray:
    # A permuted view of interleaved pixels is 'channels last', the layout of PyTorch's fast kernel.
    pixels = torch.from_numpy(roles).permute(0, 3, 1, 2)
    pixels = F.interpolate(pixels, crop.resized, mode='bilinear', antialias=True)
    roles = pixels.permute(0, 2, 3, 1).numpy()
    top, left = crop.window
    roles = roles[:, top : top + size, left : left + size]
    if crop.flip:
        roles = cv2.flip(roles.reshape(-1, size, 3), 1).reshape(2, size, size, 3)
    return roles
