"""What ``pixel_contrast.py`` measures on: street scenes, a full memory bank, the loop's anchors."""

from __future__ import annotations

import torch
from torch import Tensor

from semcl_mm.losses.pixel_contrast import PixelContrastLoss
from semcl_mm.memory import RegionMemoryBank

CLASSES, DIM, HEIGHT, WIDTH, STRIDE = 19, 256, 128, 256, 4


def street(images: int, device: str = 'cpu', seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Return embeddings, full-size labels with about 10 regions an image, predictions."""
    generator = torch.Generator().manual_seed(seed)
    embeddings = torch.randn(images, DIM, HEIGHT, WIDTH, generator=generator)
    embeddings = torch.nn.functional.normalize(embeddings, dim=1).to(device).requires_grad_()
    rows, columns = torch.meshgrid(torch.arange(HEIGHT), torch.arange(WIDTH), indexing='ij')
    maps = []
    for _ in range(images):
        classes = torch.randperm(CLASSES, generator=generator)[:10].repeat(2)
        y = torch.randint(0, HEIGHT, (20, 1, 1), generator=generator)
        x = torch.randint(0, WIDTH, (20, 1, 1), generator=generator)
        maps.append(classes[((rows - y) ** 2 + (columns - x) ** 2).argmin(dim=0)])
    labels = torch.stack(maps)
    wrong = torch.rand(labels.shape, generator=generator) < 0.1
    predictions = torch.where(wrong, (labels + 1) % CLASSES, labels)
    large = labels.repeat_interleave(STRIDE, 1).repeat_interleave(STRIDE, 2)
    return embeddings, large.to(device), predictions.to(device)


def full_bank(
    slots: int = 5000, dtype: torch.dtype = torch.float32, device: str = 'cpu'
) -> RegionMemoryBank:
    """Return a bank whose every slot is filled: ``slots`` regions and as many pixels a class."""
    bank = RegionMemoryBank(CLASSES, DIM, slots, slots, dtype=dtype).to(device)
    for rows in bank.slots[:-1].split(100_000):
        rows.copy_(torch.nn.functional.normalize(torch.randn(rows.shape, device=device), dim=1))
    bank.pixel_filled.fill_(slots)
    bank.region_count.fill_(slots)
    bank.region_filled[:-1] = True
    bank.region_order[:-1] = torch.arange(slots, device=device).repeat(CLASSES)
    return bank


def authors_sampling(views: int, **more) -> PixelContrastLoss:
    """Return the loss with the anchors that the loop takes."""
    return PixelContrastLoss(
        CLASSES,
        anchors_per_class=views,
        anchor_mode='hard-easy',
        anchor_unit='image-category',
        max_anchors=1024,
        min_pixels=views + 1,
        **more,
    )
