"""Data sets whose items are functions of their draw: the base of all pretraining data."""

from typing import Any

import cv2
import numpy as np
import torch
from torch.utils.data import Dataset, get_worker_info

from semcl_mm.datasets.samplers import PairDraw

__all__ = ['DrawnDataset']


class DrawnDataset(Dataset):
    """An item depends on its index and its :class:`PairDraw`, and on nothing else.

    So a resumed run sees the same pixels whatever the number of workers. A plain integer (from
    another sampler) takes its randomness from torch's global generator. A subclass writes
    ``__len__`` and ``make(index, rng)``.
    """

    _single_threaded = False

    def make(self, index: int, rng: np.random.Generator) -> dict[str, Any]:
        """The item of ``index``; all its randomness comes from ``rng``."""
        raise NotImplementedError

    def __getitem__(self, draw: PairDraw | int) -> dict[str, Any]:
        self._keep_to_one_core()
        if not isinstance(draw, tuple):
            draw = PairDraw(int(draw), 0, int(torch.randint(2**62, ())))
        if not 0 <= draw.index < len(self):
            raise IndexError(f'item {draw.index} of {len(self)} in {type(self).__name__}')
        return self.make(draw.index, np.random.default_rng((draw.seed, draw.position, draw.index)))

    def __getstate__(self) -> dict:
        return {**self.__dict__, '_single_threaded': False}

    def _keep_to_one_core(self) -> None:
        """A loader's worker is one of many: OpenCV must not start threads in each of them.

        The runner sets this before it forks (``env_cfg.mp_cfg``). Setting it again in a fork can
        wait for ever for threads that only the parent has, so that is left to loaders without it.
        """
        threaded = get_worker_info() is not None and cv2.getNumThreads() > 1
        if not self._single_threaded and threaded:
            cv2.setNumThreads(0)
        self._single_threaded = True
