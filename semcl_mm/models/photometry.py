"""Photometry of a batch of views on the device.

The executor for the parameters that :func:`semcl_mm.datasets.photometry.draw_photometry` draws:
all images of a batch at once, each with its own parameters, without a loop over images and without
asking the device anything. Values are whole numbers after each step, as in an 8-bit image.
"""

import math
from dataclasses import dataclass
from functools import cache

import torch
import torch.nn.functional as F

from semcl_mm.datasets.photometry import (
    BRIGHTNESS,
    CONTRAST,
    GRAY,
    HUE,
    ORDER,
    ORDERS,
    SATURATION,
    SIGMA,
    THRESHOLD,
)

__all__ = ['PhotometryPlan', 'apply_photometry']

_LUMA = (0.299, 0.587, 0.114)
_SIGMAS = 3  # where the Gaussian is cut off


@dataclass(frozen=True)
class PhotometryPlan:
    """Which steps a batch needs at all. Made on the host, where the parameters come from."""

    jitter: bool
    hue: bool
    gray: bool
    blur_radius: int
    solarize: bool

    @classmethod
    def of(cls, parameters: torch.Tensor) -> 'PhotometryPlan':
        """Plan for parameters (..., 8) in host memory.

        Raises:
            ValueError: if the parameters are on a device: looking at them would stall it.
        """
        if parameters.device.type != 'cpu':
            raise ValueError(f'the plan needs parameters on the CPU, not on {parameters.device}')
        parameters = parameters.reshape(-1, parameters.shape[-1])
        return cls(
            jitter=bool((parameters[:, : SATURATION + 1] != 1).any()),
            hue=bool((parameters[:, HUE] != 0).any()),
            gray=bool((parameters[:, GRAY] != 0).any()),
            blur_radius=math.ceil(_SIGMAS * float(parameters[:, SIGMA].max())),
            solarize=bool((parameters[:, THRESHOLD] < 256).any()),
        )


def apply_photometry(
    images: torch.Tensor, parameters: torch.Tensor, plan: PhotometryPlan
) -> torch.Tensor:
    """Apply each image's own parameters.

    Args:
        images: float32 RGB images (N, 3, H, W) of whole values in 0..255.
        parameters: float32 (N, 8) on the images' device.
        plan: the steps that these parameters need.

    Returns:
        Float32 images (N, 3, H, W) of whole values in 0..255.
    """
    # Under autocast a bfloat16 convolution would keep 8 bits of a value of 8 bits and a fraction.
    with torch.no_grad(), torch.autocast(images.device.type, enabled=False):
        if plan.jitter or plan.hue:
            images = _jitter(images, parameters, plan)
        if plan.gray:
            gray = parameters[:, GRAY]
            images = _blend(images, 1 - gray, gray, torch.zeros_like(gray))
        if plan.blur_radius:
            images = _blur(images, parameters[:, SIGMA], plan.blur_radius)
        if plan.solarize:
            threshold = parameters[:, THRESHOLD].view(-1, 1, 1, 1)
            images = torch.where(images < threshold, images, 255 - images)
    return images


def _jitter(images: torch.Tensor, parameters: torch.Tensor, plan: PhotometryPlan) -> torch.Tensor:
    """Brightness, contrast, saturation and hue, in each image's own order.

    The first three are one linear form with coefficients per image; only the hue is not. So an
    image passes three slots of that form before its hue and three behind; an operation sits in
    the slot of its place in the order, and the other slots leave the image alone.
    """
    order = _orders(images.device)[parameters[:, ORDER].long()]
    hue_place = (order == HUE).int().argmax(dim=1)
    if not plan.hue:
        for place in range(4):
            images = _linear_slot(images, parameters, order[:, place], True)
        return images
    if plan.jitter:
        for place in range(3):
            images = _linear_slot(images, parameters, order[:, place], place < hue_place)
    images = _shift_hue(images, parameters[:, HUE])
    if plan.jitter:
        for place in range(1, 4):
            images = _linear_slot(images, parameters, order[:, place], place > hue_place)
    return images


@cache
def _orders(device: torch.device) -> torch.Tensor:
    """The table of orders (24, 4), copied to a device once."""
    return torch.tensor(ORDERS, device=device)


def _linear_slot(
    images: torch.Tensor,
    parameters: torch.Tensor,
    operation: torch.Tensor,
    active: torch.Tensor | bool,
) -> torch.Tensor:
    """Apply one linear operation per image: ``operation`` (N,), where ``active`` (N,)."""
    factor = parameters.gather(1, operation[:, None])[:, 0]
    is_linear = (operation == BRIGHTNESS) | (operation == CONTRAST) | (operation == SATURATION)
    factor = torch.where(is_linear & active, factor, 1.0)
    return _blend(
        images,
        factor,
        (1 - factor) * (operation == SATURATION),
        (1 - factor) * (operation == CONTRAST),
    )


def _blend(
    images: torch.Tensor, own: torch.Tensor, luma: torch.Tensor, mean_luma: torch.Tensor
) -> torch.Tensor:
    """Weighted sum of an image, its luma and its mean luma, truncated as Pillow does.

    Args:
        images: (N, 3, H, W).
        own: weight of the image itself, (N,); luma and mean_luma alike.
        luma: see ``own``.
        mean_luma: see ``own``.
    """
    own, luma, mean_luma = (weight.view(-1, 1, 1, 1) for weight in (own, luma, mean_luma))
    gray = _luma(images)
    mean = gray.mean(dim=(2, 3), keepdim=True).add_(0.5).floor_()
    offset = gray.mul_(luma).add_(mean * mean_luma)
    # The small summand keeps a whole number whole when its sum came out a rounding error lower.
    return torch.addcmul(offset, images, own).clamp_(0, 255).add_(1e-3).floor_()


def _luma(images: torch.Tensor) -> torch.Tensor:
    red, green, blue = images.split(1, dim=1)
    return (red * _LUMA[0]).add_(green, alpha=_LUMA[1]).add_(blue, alpha=_LUMA[2]).round_()


def _shift_hue(images: torch.Tensor, turns: torch.Tensor) -> torch.Tensor:
    """Turn the hue by ``turns`` (N,), keeping HSV value and saturation.

    Channel c of a colour with value V, chroma C and hue h in [0, 6) is
    V - C * clamp(min(k, 4 - k), 0, 1) with k = (n_c + h) mod 6 and n = 5, 3, 1.
    """
    red, green, blue = images.unbind(dim=1)
    value = images.amax(dim=1)
    chroma = value - images.amin(dim=1)
    scale = chroma.clamp(min=1).reciprocal_()
    hue = torch.where(
        value == red,
        (green - blue) * scale,
        torch.where(value == green, 2 + (blue - red) * scale, 4 + (red - green) * scale),
    )
    # Truncated to the 255 steps that Pillow's hue has.
    hue += 6 / 255 * torch.trunc(turns * 255).view(-1, 1, 1)
    channels = []
    for shift in (5, 3, 1):
        k = (hue + shift).remainder_(6)
        channels.append(value - chroma * torch.minimum(k, 4 - k).clamp_(0, 1))
    return torch.stack(channels, dim=1).round_()


def _blur(images: torch.Tensor, sigma: torch.Tensor, radius: int) -> torch.Tensor:
    """Blur each image with its own Gaussian; ``sigma`` (N,) in pixels, 0 leaves it as it is."""
    count, channels, height, width = images.shape
    offsets = torch.arange(-radius, radius + 1, device=images.device, dtype=images.dtype)
    # A vanishing sigma makes the kernel a single one.
    kernel = torch.exp(-0.5 * (offsets / sigma.clamp(min=1e-3)[:, None]) ** 2)
    kernel = (kernel / kernel.sum(dim=1, keepdim=True)).repeat_interleave(channels, dim=0)
    planes = images.reshape(1, count * channels, height, width)
    planes = F.pad(planes, (radius,) * 4, mode='replicate')
    planes = F.conv2d(planes, kernel[:, None, :, None], groups=count * channels)
    planes = F.conv2d(planes, kernel[:, None, None, :], groups=count * channels)
    return planes.reshape(images.shape).round_()
