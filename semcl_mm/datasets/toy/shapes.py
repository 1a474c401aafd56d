"""Outlines of the toy objects as signed distances, and the relief that inflates them.

Coordinates are the object's own: the shape fits the square [-1, 1]², ``y`` points down. A distance
is negative inside; it is exact near the outline, which is all that coverage and relief need.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Outline:
    """One individual of a shape family.

    Args:
        family: One of ``classes.SHAPES``.
        aspect: Height over width, (0, 1] squeezes the height.
        roundness: Family-specific detail in [0, 1]: corner radius, depth of the star's notches,
            width of the ring.
        rays: Number of a star's rays.
        wobble: Amplitude of the low-frequency deformation, in units of the shape.
        phase: Phase of the deformation in radians.
        bevel: Width of the inflated rim in units of the shape: small is a cookie, large a cushion.
    """

    family: str
    aspect: float
    roundness: float
    rays: int
    wobble: float
    phase: float
    bevel: float

    def distance(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Signed distance to the outline.

        Args:
            x: Horizontal coordinate, any shape, float32.
            y: Vertical coordinate, broadcastable with ``x``.

        Returns:
            Distance in units of the shape, negative inside.
        """
        if self.wobble:
            bend = np.float32(self.phase)
            x, y = (
                x + np.float32(self.wobble) * np.sin(np.float32(3) * y + bend),
                y + np.float32(self.wobble) * np.sin(np.float32(3) * x - bend),
            )
        return _FAMILIES[self.family](self, x, y / np.float32(self.aspect))

    def relief(self, distance: np.ndarray) -> np.ndarray:
        """Height above the object's plane: a quarter circle over the rim, flat inside of it."""
        inwards = np.clip(distance / np.float32(-self.bevel), 0, 1)
        return np.float32(self.bevel) * np.sqrt(inwards * (2 - inwards))


def _disc(outline: Outline, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.sqrt(x * x + y * y) - 1


def _box(outline: Outline, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    corner = np.float32(0.05 + 0.2 * outline.roundness)
    outside_x, outside_y = np.abs(x) - (1 - corner), np.abs(y) - (1 - corner)
    beyond = np.sqrt(np.maximum(outside_x, 0) ** 2 + np.maximum(outside_y, 0) ** 2)
    return beyond + np.minimum(np.maximum(outside_x, outside_y), 0) - corner


def _star(outline: Outline, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    half_sector = np.pi / outline.rays
    notch = 0.42 + 0.12 * outline.roundness
    # Fold the plane into half a ray: the outline becomes the line from the tip to the notch.
    angle = np.arctan2(x, -y)
    folded = np.abs(np.mod(angle + half_sector, 2 * half_sector) - half_sector)
    radius = np.sqrt(x * x + y * y)
    notch_x, notch_y = notch * np.cos(half_sector), notch * np.sin(half_sector)
    length = np.hypot(1 - notch_x, notch_y)
    along, across = radius * np.cos(folded), radius * np.sin(folded)
    return ((along - 1) * (notch_y / length) + across * ((1 - notch_x) / length)).astype(np.float32)


def _ring(outline: Outline, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    half_width = np.float32(0.22 + 0.08 * outline.roundness)
    return np.abs(np.sqrt(x * x + y * y) - (1 - half_width)) - half_width


_FAMILIES = {'disc': _disc, 'box': _box, 'star': _star, 'ring': _ring}
_ASPECTS = {'disc': (0.8, 1.0), 'box': (0.65, 1.0), 'star': (0.9, 1.0), 'ring': (0.8, 1.0)}


def sample_outline(family: str, rng: np.random.Generator) -> Outline:
    """Draw an individual of ``family``."""
    return Outline(
        family=family,
        aspect=rng.uniform(*_ASPECTS[family]),
        roundness=rng.uniform(),
        rays=int(rng.integers(5, 7)),
        wobble=rng.uniform(0.0, 0.04),
        phase=rng.uniform(0, 2 * np.pi),
        bevel=rng.uniform(0.15, 0.6) if family != 'ring' else rng.uniform(0.15, 0.25),
    )
