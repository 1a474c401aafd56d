"""CACL's pixel shuffle (Eq. 7): roll an image around its edges, roll the features back.

Zero padding tells a convolutional network where the border is, and with it where a cell lies: two
frames could be matched by position alone. A roll puts every pixel next to the padding equally
often. It is no shuffle of single pixels, and no relative of ``torch.nn.PixelShuffle``.
"""

import torch
from torch import Tensor

__all__ = ['draw_rolls', 'roll']


def draw_rolls(batch: int, height: int, width: int, device: torch.device) -> Tensor:
    """Draw a roll per image, uniformly, on the device (from its global generator).

    Args:
        batch: Number of images.
        height: Rows of the map to be rolled; width alike.
        width: See ``height``.
        device: Where the rolls are needed.

    Returns:
        (batch, 2) long: (a, b) of Eq. 7, 0 <= a < height, 0 <= b < width.
    """
    rows = torch.randint(height, (batch,), device=device)
    return torch.stack([rows, torch.randint(width, (batch,), device=device)], dim=1)


def roll(maps: Tensor, rolls: Tensor) -> Tensor:
    """Roll each map by its own distance: ``out[i, j] = maps[(i + a) % H, (j + b) % W]`` (Eq. 7).

    One gather, whatever the number of images; ``roll(roll(x, r), -r)`` is x.

    Args:
        maps: (B, C, H, W).
        rolls: (B, 2) long, (a, b) of each map, of either sign.

    Returns:
        (B, C, H, W).
    """
    height, width = maps.shape[-2:]
    row = (torch.arange(height, device=maps.device) + rolls[:, :1]) % height
    column = (torch.arange(width, device=maps.device) + rolls[:, 1:]) % width
    source = (row[:, :, None] * width + column[:, None]).flatten(1)
    source = source[:, None].expand(-1, maps.shape[1], -1)
    return maps.flatten(2).gather(2, source).view(maps.shape)
