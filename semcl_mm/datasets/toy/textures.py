"""Procedural surfaces: four families with their own statistics, in any two colours.

The same families cover objects, ground and wall. A texture is evaluated at arbitrary coordinates
(no bitmap is stretched), so it keeps its detail at every scale and stays glued to a moving object.
"""

import colorsys
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

_TILE = 256  # samples along the side of the noise tile
_UNIT = 16  # samples per coordinate unit, hence per typical blotch


@dataclass(frozen=True)
class Texture:
    """One surface.

    Args:
        family: One of ``classes.TEXTURES``.
        frequency: Repetitions per coordinate unit.
        angle: Orientation in radians.
        offset: Shift of the pattern, two numbers in repetitions.
        sharpness: Steepness of the step between the two colours.
        duty: Share of the second colour, about 0.3 to 0.7.
        warp: Strength of the irregularity, in radians of the pattern's phase.
        grain: Amplitude of the fine brightness variation.
        colours: Two RGB triples in [0, 1].
    """

    family: str
    frequency: float
    angle: float
    offset: tuple[float, float]
    sharpness: float
    duty: float
    warp: float
    grain: float
    colours: tuple[tuple[float, float, float], tuple[float, float, float]]

    def pattern(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The scalar pattern and the noise under it.

        Args:
            x: (H, W) float32 coordinates.
            y: (H, W) float32 coordinates.

        Returns:
            The share of the second colour in [0, 1] and the zero-mean noise, both (H, W) float32.
        """
        cos = np.float32(self.frequency * np.cos(self.angle))
        sin = np.float32(self.frequency * np.sin(self.angle))
        p = x * cos + y * sin + np.float32(self.offset[0])
        q = y * cos - x * sin + np.float32(self.offset[1])
        noise = _noise_at(p, q)
        level = _FAMILIES[self.family](self, p, q, noise)
        return 0.5 + 0.5 * np.tanh(np.float32(self.sharpness) * level), noise

    def colour(self, x: np.ndarray, y: np.ndarray, brightness: np.ndarray) -> np.ndarray:
        """What the lit surface looks like.

        Args:
            x: (H, W) float32 coordinates.
            y: (H, W) float32 coordinates.
            brightness: (H, W) float32, the light that falls there.

        Returns:
            (3, H, W) float32, RGB, about [0, 1].
        """
        share, noise = self.pattern(x, y)
        light = brightness * (1 + np.float32(self.grain) * noise)
        first, second = np.asarray(self.colours, np.float32)
        return np.stack([light * (a + share * (b - a)) for a, b in zip(first, second, strict=True)])


def _stripes(texture: Texture, p: np.ndarray, q: np.ndarray, noise: np.ndarray) -> np.ndarray:
    wave = np.sin(np.float32(2 * np.pi) * p + np.float32(texture.warp) * noise)
    return wave + np.float32(texture.duty - 0.5) * 2


def _dots(texture: Texture, p: np.ndarray, q: np.ndarray, noise: np.ndarray) -> np.ndarray:
    row = np.floor(q)
    across = p + np.float32(0.5) * np.mod(row, 2)
    dx = across - np.floor(across) - np.float32(0.5)
    dy = q - row - np.float32(0.5)
    radius = np.float32(np.sqrt(0.7 * texture.duty / np.pi)) * (
        1 + np.float32(0.1 * texture.warp) * noise
    )
    return 4 * (radius - np.sqrt(dx * dx + dy * dy))


def _checks(texture: Texture, p: np.ndarray, q: np.ndarray, noise: np.ndarray) -> np.ndarray:
    shift = np.float32(0.5 * texture.warp) * noise
    # Three squares per two repetitions: small enough for several to fit on an arm of a star.
    step = np.float32(1.5 * np.pi)
    wave = np.sin(step * p + shift) * np.sin(step * q + shift)
    return 2 * wave + np.float32(texture.duty - 0.5)


def _marble(texture: Texture, p: np.ndarray, q: np.ndarray, noise: np.ndarray) -> np.ndarray:
    return noise + np.float32(texture.duty - 0.5) * 2


_FAMILIES = {'stripes': _stripes, 'dots': _dots, 'checks': _checks, 'marble': _marble}


@cache
def _noise_tile() -> np.ndarray:
    """Periodic noise with one octave of blotches and a falling tail, unit variance, (256, 256)."""
    white = np.random.default_rng(20230923).standard_normal((_TILE, _TILE))
    k = np.hypot(np.fft.fftfreq(_TILE)[:, None], np.fft.fftfreq(_TILE)[None]) * _UNIT
    gain = np.exp(-(((k - 0.7) / 0.35) ** 2)) + 0.25 * np.exp(-(((k - 1.8) / 0.9) ** 2))
    gain[0, 0] = 0
    tile = np.fft.ifft2(np.fft.fft2(white) * gain).real
    return (tile / tile.std()).astype(np.float32)


def _noise_at(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    columns = np.mod(p * np.float32(_UNIT), np.float32(_TILE))
    rows = np.mod(q * np.float32(_UNIT), np.float32(_TILE))
    return cv2.remap(_noise_tile(), columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)


def _two_colours(rng: np.random.Generator, contrast: float) -> tuple[tuple[float, ...], ...]:
    hue = rng.uniform()
    other_hue = hue + rng.normal(0, 0.2)
    saturation, other_saturation = rng.uniform(0.1, 0.7, 2)
    value = rng.uniform(0.25 + contrast, 1.0)
    pair = (
        colorsys.hsv_to_rgb(hue, saturation, value),
        colorsys.hsv_to_rgb(other_hue % 1, other_saturation, value - contrast),
    )
    return pair if rng.uniform() < 0.5 else pair[::-1]


def sample_texture(
    family: str,
    rng: np.random.Generator,
    frequency: tuple[float, float],
    contrast: tuple[float, float],
) -> Texture:
    """Draw a texture of ``family``; hues are free, so that colour says nothing about the family.

    Args:
        family: One of ``classes.TEXTURES``.
        rng: Source of randomness.
        frequency: Range of repetitions per coordinate unit.
        contrast: Range of the difference of the two colours' values, within [0, 0.7].
    """
    return Texture(
        family=family,
        frequency=rng.uniform(*frequency),
        angle=rng.uniform(0, 2 * np.pi),
        offset=tuple(rng.uniform(0, _TILE / _UNIT, 2)),
        sharpness=rng.uniform(2.5, 5.0),
        duty=rng.uniform(0.35, 0.6),
        warp=rng.uniform(0.1, 0.5),
        grain=rng.uniform(0.02, 0.08),
        colours=_two_colours(rng, rng.uniform(*contrast)),
    )
