"""Random numbers of a sample that depend on its place in the run, and on nothing else.

A worker that draws augmentations one after the other gives other numbers after a restart and for
another number of workers. Here the sampler hands out numbered indices, and the data set seeds
Python, NumPy and torch from (seed, epoch, position) before it makes a sample.
"""

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from mmengine.dist import get_rank, get_world_size
from mmengine.registry import DATA_SAMPLERS, DATASETS
from torch.utils.data import Dataset, Sampler, get_worker_info

__all__ = ['NumberedIndex', 'NumberedSampler', 'SeededDataset', 'seed_samples']


class NumberedIndex(int):
    """An index that knows where in the run it was drawn.

    Attributes:
        place: (epoch, position over all processes).
    """

    place: tuple[int, int]

    def __new__(cls, index: int, place: tuple[int, int]) -> 'NumberedIndex':
        """An ``int`` with a place."""
        numbered = super().__new__(cls, index)
        numbered.place = place
        return numbered

    def __reduce__(self) -> tuple:
        """Travel to a worker with the place."""
        return NumberedIndex, (int(self), self.place)


class _Wrapper:
    """Answers for what it wraps, where it has no answer of its own."""

    def __init__(self, wrapped: Any) -> None:
        self._wrapped = wrapped

    def __getattr__(self, name: str) -> Any:
        if name == '_wrapped' or name.startswith('__'):  # unpickling; a batched __getitems__
            raise AttributeError(name)
        return getattr(self._wrapped, name)

    def __len__(self) -> int:
        return len(self._wrapped)

    def __deepcopy__(self, memo: dict) -> '_Wrapper':
        return self  # MMEngine copies a loader's config before it builds the loader


class NumberedSampler(_Wrapper, Sampler):
    """Numbers the integer indices of a sampler; richer items pass (they carry their own seed)."""

    def __init__(self, sampler: Sampler) -> None:
        super().__init__(sampler)
        self._epoch = 0
        self._first = 0

    def __iter__(self) -> Iterator:
        rank, world_size = get_rank(), get_world_size()
        first, self._first = self._first, 0
        for position, index in enumerate(self._wrapped, start=first):
            if isinstance(index, int):
                index = NumberedIndex(index, (self._epoch, position * world_size + rank))
            yield index

    def __getattr__(self, name: str) -> Any:
        if name == 'skip' and hasattr(self._wrapped, 'skip'):
            return self._skip  # only where the sampler can: MMEngine asks with hasattr
        return super().__getattr__(name)

    def _skip(self, num_samples: int) -> None:
        self._wrapped.skip(num_samples)
        self._first = num_samples

    def set_epoch(self, epoch: int) -> None:
        """Number what follows as draws of this epoch."""
        self._epoch = epoch
        if hasattr(self._wrapped, 'set_epoch'):
            self._wrapped.set_epoch(epoch)


class SeededDataset(_Wrapper, Dataset):
    """Seeds all random generators before each sample that a :class:`NumberedIndex` asks for.

    In the main process (``num_workers=0``) their state is put back afterwards: loading does not
    touch the random numbers of the model.
    """

    def __init__(self, dataset: Dataset, seed: int) -> None:
        super().__init__(dataset)
        self._seed = seed

    def __getitem__(self, index: Any) -> Any:
        if not isinstance(index, NumberedIndex):
            return self._wrapped[index]
        seeds = np.random.SeedSequence([self._seed, *index.place]).generate_state(3)
        if get_worker_info() is not None:
            _seed_all(seeds)
            return self._wrapped[int(index)]
        state = random.getstate(), np.random.get_state(), torch.default_generator.get_state()  # noqa: NPY002
        try:
            _seed_all(seeds)
            return self._wrapped[int(index)]
        finally:
            random.setstate(state[0])
            np.random.set_state(state[1])  # noqa: NPY002
            torch.default_generator.set_state(state[2])


def _seed_all(seeds: np.ndarray) -> None:
    random.seed(int(seeds[0]))
    np.random.seed(seeds[1])  # noqa: NPY002
    torch.default_generator.manual_seed(int(seeds[2]))  # the CPU's alone


def seed_samples(config: dict, seed: int, diff_rank_seed: bool = False) -> dict:
    """Build data set and sampler of a loader's config, wrapped as above.

    The loader gets a generator of its own too: the seeds it draws for its workers then leave the
    model's random numbers alone.

    Args:
        config: A dataloader config with ``dataset`` and ``sampler`` configs.
        seed: Seed of the run.
        diff_rank_seed: Whether processes have seeds of their own (the sampler then draws one).

    Returns:
        A copy of the config with objects for ``dataset``, ``sampler`` and ``generator``.
    """
    config = dict(config)
    if not isinstance(config['dataset'], dict) or not isinstance(config['sampler'], dict):
        return config
    dataset = DATASETS.build(config['dataset'])
    if hasattr(dataset, 'full_init'):
        dataset.full_init()
    sampler = DATA_SAMPLERS.build(
        config['sampler'],
        default_args=dict(dataset=dataset, seed=None if diff_rank_seed else seed),
    )
    config['dataset'] = SeededDataset(dataset, seed)
    config['sampler'] = NumberedSampler(sampler)
    config.setdefault('generator', torch.Generator().manual_seed(seed + get_rank()))
    return config
