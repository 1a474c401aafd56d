"""Batches of images that lie or stand alike, so that little of a batch is padding."""

import itertools
from collections.abc import Iterator, Sized

import numpy as np
import torch
from mmengine.dist import get_dist_info, sync_random_seed
from torch.utils.data import Sampler

from semcl_mm.registry import DATA_SAMPLERS

__all__ = ['AspectRatioSampler']


@DATA_SAMPLERS.register_module()
class AspectRatioSampler(Sampler[int]):
    """Endless shuffled indices in runs of ``batch_size``: all landscape, or all portrait.

    mmdet groups in a batch sampler, whose half-filled groups no checkpoint holds and which a
    resumed run can only wind forward by loading every image again. Here the groups are part of the
    stream of indices, which is wound forward without loading anything.

    Args:
        dataset: A detection data set: ``get_data_info`` tells width and height.
        batch_size: Of the loader; with another one the groups are still valid, and less use.
        seed: Of the stream; None draws one that all processes share.
    """

    def __init__(self, dataset: Sized, batch_size: int, seed: int | None = None) -> None:
        if batch_size < 1:
            raise ValueError(f'batch_size must be at least 1, got {batch_size}')
        self.dataset, self.batch_size = dataset, batch_size
        self.seed = sync_random_seed() if seed is None else seed
        self._rank, self._world_size = get_dist_info()
        self._portrait = np.full(len(dataset), -1, np.int8)  # -1: not looked at yet
        self._skipped = 0

    def __iter__(self) -> Iterator[int]:
        return itertools.islice(self._grouped(), self._skipped, None)

    def __len__(self) -> int:
        return len(self.dataset)

    def skip(self, num_samples: int) -> None:
        """Begin behind as many indices of this process."""
        if num_samples < 0:
            raise ValueError(f'num_samples must be at least 0, got {num_samples}')
        self._skipped = num_samples

    def set_epoch(self, epoch: int) -> None:
        """An endless stream has no epochs."""

    def _grouped(self) -> Iterator[int]:
        groups: tuple[list[int], list[int]] = ([], [])
        for index in itertools.islice(self._shuffled(), self._rank, None, self._world_size):
            group = groups[self._is_portrait(index)]
            group.append(index)
            if len(group) == self.batch_size:
                yield from group
                group.clear()

    def _shuffled(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self.seed)
        while True:
            yield from torch.randperm(len(self.dataset), generator=generator).tolist()

    def _is_portrait(self, index: int) -> int:
        if self._portrait[index] < 0:
            entry = self.dataset.get_data_info(index)
            self._portrait[index] = entry['width'] < entry['height']
        return int(self._portrait[index])
