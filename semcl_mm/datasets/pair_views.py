"""How both roles of a pair come out of one cut, and how much of it the object fills."""

import math

import cv2
import numpy as np

from semcl_mm.datasets.crops import Crop, resize

__all__ = ['anchor_fraction', 'cut_roles']


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
    return resize(roles, crop, size)
