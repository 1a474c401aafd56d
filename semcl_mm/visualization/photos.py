"""Photos for a picture: chosen by a seed from folders, files or a config's data."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from torch import Tensor

from semcl_mm.datasets import ImageFolder, PairDataset, ViewDataset
from semcl_mm.datasets.crops import Crop, cut, to_planes
from semcl_mm.datasets.image_sources import image_source
from semcl_mm.datasets.photo_files import read_rgb
from semcl_mm.registry import DATASETS

__all__ = ['choose_photos', 'dataset_type', 'photo_paths', 'read_square']


def choose_photos(
    images: Sequence[str | Path] | None, config: Config | None, num: int, size: int, seed: int
) -> Tensor:
    """Central squares of some photos.

    Args:
        images: Files and folders; None: the images of the config's data.
        config: Of any training here.
        num: How many; all of them, in their order, where there are no more.
        size: Side S in pixels.
        seed: Of the choice.

    Returns:
        (N, 3, S, S) uint8 RGB.

    Raises:
        ValueError: ``num`` or ``size`` is out of range, or there are no photos.
        FileNotFoundError: A path does not exist.
    """
    if num < 1 or size < 32:
        raise ValueError(f'--num must be at least 1 and --size at least 32, got {num} and {size}')
    paths = photo_paths(images, config)
    chosen = np.random.default_rng(seed).permutation(len(paths))[:num]
    return torch.stack([read_square(paths[i], size) for i in sorted(chosen.tolist())])


def photo_paths(images: Sequence[str | Path] | None, config: Config | None) -> list[str]:
    """All files that ``images`` name, or those of the config's data."""
    if images is None:
        source = _source_of(config)
        return [source.path(i) for i in range(len(source))] if source else _paths_of_pairs(config)
    paths = []
    for path in map(Path, images):
        if path.is_dir():
            folder = ImageFolder(path)
            paths += [folder.path(i) for i in range(len(folder))]
        elif path.is_file():
            paths.append(str(path))
        else:
            raise FileNotFoundError(f'--images {path}: no such file or folder')
    return paths


def read_square(path: str, size: int) -> Tensor:
    """The largest central square of a photo, (3, S, S) uint8 RGB."""
    image = read_rgb(path)
    side = min(image.shape[:2])
    top, left = ((length - side) // 2 for length in image.shape[:2])
    crop = Crop(top, left, side, side, (size, size), (0, 0), False)
    return to_planes([cut(image, crop, size)])[0]


def dataset_type(dataset: dict) -> str:
    """The name of a config's data set, also in a config that was written out."""
    kind = dataset.get('type', '')
    return getattr(kind, '__name__', kind).rpartition('.')[2]


def _source_of(config: Config | None):
    """The images of a pretraining on views, or of a downstream task's validation."""
    if config is None:
        raise ValueError('without a config there are no photos: give --images, files or folders')
    dataset = config.get('train_dataloader', {}).get('dataset', {})
    if dataset_type(dataset) == ViewDataset.__name__:
        return image_source(dataset['images'])
    if dataset_type(dataset) == PairDataset.__name__:
        return None
    dataset = config.get('val_dataloader', {}).get('dataset', {})
    prefix = dataset.get('data_prefix', {})
    folder = prefix.get('img_path') or prefix.get('img')
    if folder is None:
        raise ValueError(f'{config.filename}: no photos in its data: give --images')
    return ImageFolder(Path(dataset.get('data_root') or '', folder))


def _paths_of_pairs(config: Config) -> list[str]:
    index = DATASETS.build(config.train_dataloader.dataset).index
    _, first = np.unique(index.image_ids, return_index=True)
    return [str(index.record(int(i)).image_path) for i in first]
