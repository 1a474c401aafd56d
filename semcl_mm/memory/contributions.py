"""What an image adds to a memory: random pixels of each class, and the mean of each class."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from semcl_mm.losses.pixel_sampling import draw_per_group
from semcl_mm.losses.similarity import as_float, normalise

__all__ = ['pick_pixels', 'pool_regions']


def pick_pixels(
    embeddings: Tensor,
    labels: Tensor,
    num_classes: int,
    per_image: int,
    generator: torch.Generator | None = None,
    project: Callable[[Tensor], Tensor] | None = None,
) -> tuple[Tensor, Tensor]:
    """Return V random pixels per image and class as unit vectors, and which of them exist.

    Args:
        embeddings: (B, K, P) maps of P pixels.
        labels: (B, P) long; ``num_classes`` where a pixel is of no class.
        num_classes: C.
        per_image: V.
        generator: Source of randomness.
        project: Applied to the picked vectors (B, C * V, K) -> (B, C * V, D); None: K = D.

    Returns:
        (B, C, V, D) and (B, C, V) uint8.
    """
    batch, channels, area = embeddings.shape
    num_groups = batch * num_classes
    first = torch.arange(batch, device=labels.device)[:, None] * num_classes
    groups = torch.where(labels < num_classes, labels + first, num_groups).flatten()
    table, _ = draw_per_group(groups, num_groups, per_image, generator)
    table = table.view(batch, -1)
    pixel = (table % area).where(table >= 0, 0)
    # One gather per image along the pixels; (B, C * V, K) afterwards.
    picked = embeddings.gather(2, pixel[:, None].expand(-1, channels, -1)).transpose(1, 2)
    picked = normalise(picked if project is None else project(picked))
    shape = (batch, num_classes, per_image)
    return picked.view(*shape, -1), (table >= 0).view(shape).byte()


def pool_regions(embeddings: Tensor, labels: Tensor, num_classes: int) -> tuple[Tensor, Tensor]:
    """Return the mean direction per image and class, (B, C, D), and which exist, (B, C) uint8.

    Args:
        embeddings: (B, D, P).
        labels: (B, P); ``num_classes`` where a pixel is of no class.
        num_classes: C.
    """
    classes = torch.arange(num_classes, device=labels.device)
    members = labels[:, None, :] == classes[:, None]
    embeddings = as_float(embeddings)
    # The direction of the sum is that of the mean. As a product it is deterministic on a GPU.
    total = torch.bmm(members.to(embeddings.dtype), embeddings.transpose(1, 2))
    return normalise(total), members.any(dim=2).byte()
