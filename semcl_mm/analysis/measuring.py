"""Time and tensor memory of a computation, as the commands under ``tools/benchmarks`` say it."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

__all__ = ['ALLOCATORS', 'PeakBytes', 'in_each_allocator', 'milliseconds']

ALLOCATORS = {
    'default': {},
    'caching': {
        'MALLOC_MMAP_MAX_': '0',
        'MALLOC_TRIM_THRESHOLD_': '34359738368',
        'MALLOC_TOP_PAD_': '67108864',
    },
}
"""Environments for glibc's allocator. By default large tensors are mapped afresh each time and
page-fault, which flatters whatever makes fewer of them; 'caching' keeps the pages, as training and
a GPU's allocator do, and is the one to quote."""


class PeakBytes(TorchDispatchMode):
    """Counts the bytes of the storages that were made inside the context and are still alive.

    Counted operator by operator, so that it is exact on every device; scratch memory inside an
    operator is not seen.

    Attributes:
        peak: The most bytes alive at once, looked at after each operator.
        largest: The bytes of the largest single storage.
    """

    def __init__(self) -> None:
        super().__init__()
        self.peak = self.largest = 0
        self._alive: dict[int, tuple[StorageWeakRef, int]] = {}

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        given = {x.untyped_storage().data_ptr() for x in _tensors((args, kwargs))}
        result = function(*args, **(kwargs or {}))
        for tensor in _tensors(result):
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in given and storage.nbytes():
                self._alive[storage.data_ptr()] = StorageWeakRef(storage), storage.nbytes()
                self.largest = max(self.largest, storage.nbytes())
        self._alive = {k: v for k, v in self._alive.items() if not v[0].expired()}
        self.peak = max(self.peak, sum(size for _, size in self._alive.values()))
        return result


def _tensors(tree) -> list[Tensor]:
    return [x for x in tree_leaves(tree) if isinstance(x, Tensor)]


def milliseconds(functions: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return each function's median time; they take turns, so that a busy machine hits all alike.

    Args:
        functions: Called without arguments, once to warm up and then ``rounds`` times.
        rounds: At least 1.
    """
    times: dict[str, list[float]] = {name: [] for name in functions}
    for function in functions.values():
        function()
    for _ in range(rounds):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            times[name].append((time.perf_counter() - start) * 1e3)
    return {name: statistics.median(values) for name, values in times.items()}


def in_each_allocator(script: str, arguments: list[str]) -> dict[str, dict]:
    """Run ``script ARGUMENTS --in-process`` once per allocator; return what it printed as JSON.

    Raises:
        RuntimeError: If a run fails, with what it wrote to stderr.
    """
    results = {}
    for name, settings in ALLOCATORS.items():
        done = subprocess.run(
            [sys.executable, script, *arguments, '--in-process'],
            env={**os.environ, **settings},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f'{script} failed with the {name} allocator:\n{done.stderr}')
        results[name] = json.loads(done.stdout.splitlines()[-1])
    return results
