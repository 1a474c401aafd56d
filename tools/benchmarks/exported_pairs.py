"""The baseline of ``pair_views.py``: pairs exported as images, as SemCL's authors do.

Two masked image files per pair; both are decoded by Pillow, and each of the three views is made by
Pillow and torchvision with shared geometry and decisions, down to normalised float tensors.
"""

import random
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image, ImageFilter, ImageOps
from torch.utils.data import Dataset
from torchvision import transforms
from torchvision.transforms import functional as F

from semcl_mm.datasets import PairIndex
from semcl_mm.datasets.label_sources import folder
from semcl_mm.datasets.pair_builder import Selection, build_index

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class ExportedPairs(Dataset):
    """Pairs of masked image files, three joint views each, float32 (2, 3, S, S) per view."""

    def __init__(self, pairs: list[tuple[Path, Path]], size: int) -> None:
        self.pairs = pairs
        self.size = size
        self.jitter = transforms.ColorJitter(0.4, 0.4, 0.2, 0.1)

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> dict:
        roles = [Image.open(path).convert('RGB') for path in self.pairs[index]]
        views = (
            self._short_side(roles),
            self._strong(roles, blur=1.0, solarize=0.0),
            self._strong(roles, blur=0.1, solarize=0.2),
        )
        return dict(inputs=[self._finish(view) for view in views])

    def _short_side(self, roles: list[Image.Image]) -> list[Image.Image]:
        roles = [F.resize(role, self.size) for role in roles]
        box = transforms.RandomCrop.get_params(roles[0], (self.size, self.size))
        return [F.crop(role, *box) for role in roles]

    def _strong(self, roles: list[Image.Image], blur: float, solarize: float) -> list[Image.Image]:
        box = transforms.RandomResizedCrop.get_params(roles[0], (0.08, 1), (3 / 4, 4 / 3))
        roles = [F.resized_crop(role, *box, (self.size, self.size)) for role in roles]
        if random.random() < 0.8:
            roles = [self.jitter(role) for role in roles]
        if random.random() < 0.2:
            roles = [F.to_grayscale(role, 3) for role in roles]
        if random.random() < blur:
            roles = [
                role.filter(ImageFilter.GaussianBlur(random.uniform(0.1, 2))) for role in roles
            ]
        if random.random() < solarize:
            roles = [ImageOps.solarize(role) for role in roles]
        return roles

    def _finish(self, roles: list[Image.Image]) -> torch.Tensor:
        if random.random() < 0.5:
            roles = [F.hflip(role) for role in roles]
        return torch.stack([F.normalize(F.to_tensor(role), MEAN, STD) for role in roles])


def make_scenes(
    root: Path,
    count: int,
    width: int,
    height: int,
    objects: int,
    suffix: str,
    palette: bool,
    seed: int = 0,
) -> PairIndex:
    """Write photo-like images with label maps to ``root`` and index their pairs.

    Args:
        root: folder to fill.
        count: number of images.
        width: width of an image in pixels; height alike.
        height: see ``width``.
        objects: number of objects in an image, each of a class of its own.
        suffix: '.jpg' (quality 95) or '.png'.
        palette: whether label maps are palette images, as VOC's, or grey ones, as Cityscapes'.
        seed: seed of the pictures.
    """
    rng = np.random.default_rng(seed)
    for name in ('images', 'labels'):
        (root / name).mkdir(parents=True)
    for number in range(count):
        label = np.zeros((height, width), dtype=np.uint8)
        for value in range(1, objects + 1):
            center = int(rng.integers(width)), int(rng.integers(height // 4, height))
            axes = [int(rng.uniform(0.12, 0.3) * height) for _ in range(2)]
            cv2.ellipse(label, center, axes, float(rng.uniform(0, 180)), 0, 360, value, -1)
        photo = _fractal(width, height, rng)
        for value in range(1, objects + 1):
            tint = rng.uniform(-40, 40, 3) + 0.5 * _fractal(width, height, rng) - 64
            photo = np.where((label == value)[..., None], photo + tint, photo)
        photo = np.clip(photo, 0, 255).astype(np.uint8)
        Image.fromarray(photo).save(root / f'images/{number:04d}{suffix}', quality=95)
        label = Image.fromarray(label)
        if palette:
            label.putpalette(bytes(range(256)) * 3)
        label.save(root / f'labels/{number:04d}.png')
    build_index(folder(root, num_classes=objects + 1, ignore=(0,)), root / 'pairs', Selection())
    return PairIndex.open(root / 'pairs', root)


def export(index: PairIndex, out: Path, limit: int) -> list[tuple[Path, Path]]:
    """Write the first ``limit`` pairs as two masked images each, in their image's own format."""
    out.mkdir()
    exported = []
    for number in range(min(limit, len(index))):
        path = index.record(number).image_path
        suffix = path.suffix
        photo = np.asarray(Image.open(path).convert('RGB'))
        mask = index.anchor_mask(number, index.read_label(number))[..., None]
        paths = out / f'anchor{number}{suffix}', out / f'environment{number}{suffix}'
        for path, part in zip(paths, (mask, ~mask), strict=True):
            Image.fromarray(photo * part).save(path, quality=95)
        exported.append(paths)
    return exported


def _fractal(width: int, height: int, rng: np.random.Generator) -> np.ndarray:
    """Noise whose amplitude falls with the frequency, as a photo's does, (height, width, 3)."""
    picture = np.full((height, width, 3), 128, dtype=np.float32)
    cells, amplitude = 4, 50.0
    while cells < height // 2:
        coarse = rng.normal(0, amplitude, (cells, cells * width // height, 3)).astype(np.float32)
        picture += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        cells, amplitude = cells * 2, amplitude * 0.68
    return picture
