"""Features of labelled images, whole and cell by cell, from a backbone that is not trained."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ['Bank', 'FeatureReader', 'ImageFeatures', 'cell_counts', 'collect_bank']

IGNORE = 255


@dataclass
class ImageFeatures:
    """What is known of an image.

    Attributes:
        pooled: (C,) mean of the map, on the device.
        cells: (H * W, C) the cells of the map, on the device.
        size: (H, W) of the map.
        counts: (H * W, K) labelled pixels of each class in each cell, on the CPU.
        labels: (h, w) labels, padded to where the map ends, on the CPU.
    """

    pooled: Tensor
    cells: Tensor
    size: tuple[int, int]
    counts: Tensor
    labels: Tensor


class FeatureReader:
    """Reads features of images as mmseg's data sets give them.

    Images are padded at the right and bottom to a multiple of ``divisor``, so that a map covers
    its image exactly.

    Args:
        backbone: Returns maps (N, C, H, W), or a sequence of these. It is used as it is: put it
            into evaluation mode.
        num_classes: K; labels are 0 … K - 1, or 255 (ignored).
        stage: Which output of a backbone that returns several.
        mean: Of the RGB channels, 0 … 255.
        std: Of the RGB channels.
        divisor: A multiple of the backbone's stride.
    """

    def __init__(
        self,
        backbone: nn.Module,
        num_classes: int,
        stage: int = -1,
        mean: Iterable[float] = (123.675, 116.28, 103.53),
        std: Iterable[float] = (58.395, 57.12, 57.375),
        divisor: int = 32,
    ) -> None:
        self.backbone, self.num_classes, self.stage = backbone, num_classes, stage
        self.divisor = divisor
        self.device = next(backbone.parameters()).device
        self.mean = torch.tensor(list(mean), device=self.device)[:, None, None]
        self.std = torch.tensor(list(std), device=self.device)[:, None, None]

    @torch.no_grad()
    def __call__(self, item: dict[str, Any]) -> ImageFeatures:
        """Features of one item: ``inputs`` (3, h, w) uint8 BGR, ``data_samples.gt_sem_seg``.

        Raises:
            ValueError: The item has no label map, or the backbone returns no map.
        """
        if 'gt_sem_seg' not in item['data_samples']:
            raise ValueError('images without label maps: give the config of a segmentation')
        image = item['inputs'].to(self.device).flip(0).float()
        labels = item['data_samples'].gt_sem_seg.data[0].long().cpu()
        height, width = image.shape[1:]
        padding = (0, -width % self.divisor, 0, -height % self.divisor)
        image = F.pad((image - self.mean) / self.std, padding)
        labels = F.pad(labels, padding, value=IGNORE)
        with torch.autocast(self.device.type, enabled=False):
            maps = self.backbone(image[None])
        map_ = maps if isinstance(maps, Tensor) else maps[self.stage]
        if map_.dim() != 4:
            raise ValueError(
                f'the backbone returned {tuple(map_.shape)} instead of a map (N, C, H, W): '
                "of a ViT set out_type='featmap'"
            )
        map_ = map_[0].float()
        size = tuple(map_.shape[1:])
        counts = cell_counts(labels, size, self.num_classes)
        return ImageFeatures(map_.mean(dim=(1, 2)), map_.flatten(1).T, size, counts, labels)


def cell_counts(labels: Tensor, size: tuple[int, int], num_classes: int) -> Tensor:
    """How many pixels of each class lie in each cell of a map.

    Args:
        labels: (h, w) long; other values than 0 … K - 1 count nowhere.
        size: (H, W) of the map, which covers the labels.
        num_classes: K.

    Returns:
        (H * W, K) float32.
    """
    rows = torch.arange(labels.shape[0]) * size[0] // labels.shape[0]
    columns = torch.arange(labels.shape[1]) * size[1] // labels.shape[1]
    cell = rows[:, None] * size[1] + columns
    known = (labels >= 0) & (labels < num_classes)
    place = cell[known] * num_classes + labels[known]
    counts = torch.bincount(place, minlength=size[0] * size[1] * num_classes)
    return counts.reshape(-1, num_classes).float()


@dataclass
class Bank:
    """Labelled features of many images, on the device.

    Attributes:
        pooled: (N, C), one per image.
        pixels: (N, K) labelled pixels of each class in each image.
        cells: (M, C), some cells of all images.
        shares: (M, K) shares of the classes of each cell's labelled pixels.
    """

    pooled: Tensor
    pixels: Tensor
    cells: Tensor
    shares: Tensor


def collect_bank(images: Iterator[ImageFeatures], cells_per_image: int, seed: int = 0) -> Bank:
    """Gather features to compare with.

    Args:
        images: Labelled images, at least one.
        cells_per_image: At most so many random cells of each; those without a label never count.
        seed: Seed of the choice, which no global generator has a part in.

    Raises:
        ValueError: There is no image, or no labelled pixel.
    """
    generator = torch.Generator().manual_seed(seed)
    pooled, pixels, cells, shares = [], [], [], []
    for image in images:
        labelled = image.counts.sum(dim=1).nonzero()[:, 0]
        order = torch.randperm(len(labelled), generator=generator)[:cells_per_image]
        chosen = labelled[order.sort().values]
        counts = image.counts[chosen]
        pooled.append(image.pooled)
        pixels.append(image.counts.sum(dim=0))
        cells.append(image.cells[chosen.to(image.cells.device)])
        shares.append(counts / counts.sum(dim=1, keepdim=True))
    if not pooled or not sum(map(len, cells)):
        raise ValueError('there is no labelled pixel to compare with')
    device = pooled[0].device
    return Bank(
        torch.stack(pooled),
        torch.stack(pixels).to(device),
        torch.cat(cells),
        torch.cat(shares).to(device),
    )
