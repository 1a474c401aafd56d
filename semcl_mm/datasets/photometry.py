"""Photometry of uint8 views on the CPU.

The parameters are drawn apart from the pixels. So one draw serves two executors that agree: this
module (OpenCV, one image at a time, in the loader's workers) and
:mod:`semcl_mm.models.photometry` (batched, on the device).

The operations mean what Pillow's mean: blends, grey and solarisation within a grey level, hue
within two of its 255 steps. One deviation: the blur is a true Gaussian, where Pillow approximates
it by three box filters of equal variance.
"""

from itertools import permutations

import cv2
import numpy as np

from semcl_mm.datasets.view_recipe import ViewRecipe

__all__ = ['HUE', 'IDENTITY', 'ORDER', 'ORDERS', 'apply_photometry', 'draw_photometry']

# Columns of a parameter vector. The first four are the operations of colour jitter.
BRIGHTNESS, CONTRAST, SATURATION, HUE, ORDER, GRAY, SIGMA, THRESHOLD = range(8)

#: Parameters that leave an image as it is.
IDENTITY = np.array([1, 1, 1, 0, 0, 0, 0, 256], dtype=np.float32)

#: Every order in which the four operations of colour jitter can come; ``ORDER`` indexes it.
ORDERS = tuple(permutations((BRIGHTNESS, CONTRAST, SATURATION, HUE)))

# Pillow truncates after each blend and OpenCV rounds: rounding v - 0.499 is truncating v.
_TRUNCATE = -0.499


def draw_photometry(recipe: ViewRecipe, roles: int, rng: np.random.Generator) -> np.ndarray:
    """Draw the parameters of one view of a pair.

    Whether jitter, grey, blur and solarisation happen is decided once for all roles; the jitter's
    factors and order and the blur's sigma are each role's own, as in SemCL's code.

    Args:
        recipe: the view's recipe.
        roles: number of images that share the decisions, 2 for anchor and ¬anchor.
        rng: source of randomness.

    Returns:
        Float32 array (roles, 8): brightness, contrast and saturation factors, hue shift in turns,
        index into :data:`ORDERS`, grey (0 or 1), blur sigma in pixels (0: none), solarisation
        threshold (256: none).
    """
    parameters = IDENTITY[None].repeat(roles, axis=0)
    jitter, gray, blur, solarize = rng.random(4)
    if jitter < recipe.jitter:
        width = (recipe.brightness, recipe.contrast, recipe.saturation, recipe.hue)
        parameters[:, : HUE + 1] += rng.uniform(-1, 1, (roles, 4)) * width
        parameters[:, ORDER] = rng.integers(len(ORDERS), size=roles)
    if gray < recipe.gray:
        parameters[:, GRAY] = 1
    if blur < recipe.blur:
        parameters[:, SIGMA] = rng.uniform(*recipe.sigma, size=roles)
    if solarize < recipe.solarize:
        parameters[:, THRESHOLD] = recipe.threshold
    return parameters


def apply_photometry(image: np.ndarray, parameters: np.ndarray) -> np.ndarray:
    """Apply one parameter vector to one image.

    Args:
        image: uint8 RGB array (H, W, 3).
        parameters: float array (8,), a row of :func:`draw_photometry`.

    Returns:
        Uint8 array (H, W, 3); the input itself where nothing changes.
    """
    brightness, contrast, saturation, hue, order, gray, sigma, threshold = parameters.tolist()
    factors = (brightness, contrast, saturation)
    for operation in ORDERS[int(order)]:
        if operation == HUE:
            if hue:
                image = shift_hue(image, hue)
        elif factors[operation] != 1:
            image = _BLENDS[operation](image, factors[operation])
    if gray:
        image = _gray(image)
    if sigma:
        image = cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    if threshold < 256:
        values = np.arange(256)
        table = np.where(values >= threshold, 255 - values, values).astype(np.uint8)
        image = cv2.LUT(image, table)
    return image


def adjust_brightness(image: np.ndarray, factor: float) -> np.ndarray:
    """Scale the values: blend with black. (H, W, 3) uint8 in and out, factor >= 0."""
    return cv2.addWeighted(image, factor, image, 0, _TRUNCATE)


def adjust_contrast(image: np.ndarray, factor: float) -> np.ndarray:
    """Blend with the image's mean luma. (H, W, 3) uint8 in and out, factor >= 0."""
    red, green, blue, _ = cv2.mean(image)
    luma = int(0.299 * red + 0.587 * green + 0.114 * blue + 0.5)
    return cv2.addWeighted(image, factor, image, 0, (1 - factor) * luma + _TRUNCATE)


def adjust_saturation(image: np.ndarray, factor: float) -> np.ndarray:
    """Blend with the image's own luma. (H, W, 3) uint8 in and out, factor >= 0."""
    return cv2.addWeighted(image, factor, _gray(image), 1 - factor, _TRUNCATE)


def shift_hue(image: np.ndarray, turns: float) -> np.ndarray:
    """Turn the hue by ``turns`` of a full circle. (H, W, 3) uint8 in and out."""
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV_FULL)
    # Truncated like Pillow's; 8-bit arithmetic wraps around, as an angle must.
    hsv[..., 0] += np.uint8(int(turns * 255) % 256)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB_FULL)


def _gray(image: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)


_BLENDS = {
    BRIGHTNESS: adjust_brightness,
    CONTRAST: adjust_contrast,
    SATURATION: adjust_saturation,
}
