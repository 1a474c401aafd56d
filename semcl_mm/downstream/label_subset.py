"""Limited labels: train any segmenter on a part of its images."""

import hashlib
import os
import posixpath
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from mmseg.datasets import BaseSegDataset
from mmseg.datasets.transforms import LoadAnnotations
from torch.utils.data import Dataset

from semcl_mm.datasets.stratified import stratified_order, subset_size
from semcl_mm.registry import DATASETS

__all__ = ['LabelSubset', 'image_names', 'label_presence']


@DATASETS.register_module()
class LabelSubset(Dataset):
    """A seeded, nested, stratified part of a segmentation data set.

    Wrapped around the data set of any config::

        train_dataloader.dataset = dict(
            type=LabelSubset, dataset=train_dataloader.dataset, fraction=0.01
        )

    or by ``tools/train.py CONFIG --label-fraction 0.01``. See
    :func:`~semcl_mm.datasets.stratified.stratified_order` for how images are chosen. Names are
    relative to the data set's root, so that all machines choose alike. Chosen images keep the
    order of the data set: all of them are the data set itself. Everything else of the data set
    shows through.

    Args:
        dataset: A data set derived from mmseg's ``BaseSegDataset``, or its config.
        fraction: Share of the images, in (0, 1].
        subset_seed: Seed of the choice. It is not the seed of the run: runs of several seeds
            share a subset unless told otherwise.

    Attributes:
        label_subset: What the run record says: fraction, seed, number of images, of how many,
            and a digest of their names.

    Raises:
        ValueError: The fraction is out of range, the data set of another kind, or a label map
            holds what is no class.
    """

    @staticmethod
    def takes(dataset: type) -> bool:
        """Whether it can choose from data sets of this class."""
        return issubclass(dataset, BaseSegDataset)

    def __init__(
        self, dataset: Mapping | BaseSegDataset, fraction: float, subset_seed: int = 0
    ) -> None:
        dataset = DATASETS.build(dataset) if isinstance(dataset, Mapping) else dataset
        if not isinstance(dataset, BaseSegDataset):
            raise ValueError(f'LabelSubset chooses from a BaseSegDataset, not {type(dataset)}')
        dataset.full_init()
        names = image_names(dataset)
        size = subset_size(len(names), fraction)
        chosen = list(range(len(names)))
        if size < len(names):
            presence = label_presence(dataset)
            chosen = sorted(stratified_order(presence, names, size, subset_seed))
            dataset.get_subset_(chosen)
        listed = '\n'.join(sorted(names[index] for index in chosen))
        self.dataset = dataset
        self.label_subset = dict(
            fraction=fraction,
            seed=subset_seed,
            images=size,
            of=len(names),
            digest=hashlib.sha256(listed.encode()).hexdigest()[:12],
        )

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Any:
        return self.dataset[index]

    def __getattr__(self, name: str) -> Any:
        if name == 'dataset' or name.startswith('__'):  # unpickling; a batched __getitems__
            raise AttributeError(name)
        return getattr(self.dataset, name)


def image_names(dataset: BaseSegDataset) -> list[str]:
    """The images' paths relative to the data set's root, with ``/`` everywhere."""
    paths = [dataset.get_data_info(index)['img_path'] for index in range(len(dataset))]
    root = dataset.data_root
    if root and '://' not in root:
        paths = [os.path.relpath(path, root) for path in paths]
    return [path.replace(os.sep, posixpath.sep) for path in paths]


def label_presence(dataset: BaseSegDataset) -> np.ndarray:
    """Which image shows which class: (N, C) bool, after the data set's own label mapping.

    Reads every label map, several at a time, and no image.

    Raises:
        ValueError: A label is neither a class nor ignored; the message names the file.
    """
    num_classes, ignored = len(dataset.metainfo['classes']), dataset.ignore_index

    def classes(index: int) -> np.ndarray:
        info = dataset.get_data_info(index)
        labels = LoadAnnotations()(info)['gt_seg_map']
        counts = np.bincount(labels.ravel(), minlength=256)
        counts[ignored] = 0
        if counts[num_classes:].any():
            values = num_classes + counts[num_classes:].nonzero()[0]
            raise ValueError(
                f'{info["seg_map_path"]}: label values {values.tolist()} are outside '
                f'0..{num_classes - 1} and not {ignored}'
            )
        return counts[:num_classes] > 0

    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        return np.stack(list(pool.map(classes, range(len(dataset)))))
