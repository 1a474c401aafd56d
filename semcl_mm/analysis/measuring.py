"""Time and tensor memory of a computation, as the commands under ``tools/benchmarks`` say it.

On a GPU, time is that between two events of its stream and memory is what PyTorch's allocator gave
out; on the CPU, time is the clock's and memory is counted operator by operator.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

__all__ = [
    'ALLOCATORS',
    'DEVICES',
    'PeakBytes',
    'in_each_allocator',
    'milliseconds',
    'milliseconds_in_a_row',
    'peak_bytes',
    'ready',
]

DEVICES = ('cpu', 'cuda')

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


def ready(device: str) -> str:
    """Turn TF32 off for matrix products and say what is measured on.

    Args:
        device: One of :data:`DEVICES`.

    Raises:
        ValueError: There is no such device here.
    """
    if device not in DEVICES:
        raise ValueError(f'device must be one of {", ".join(DEVICES)}, got {device!r}')
    if device == 'cuda' and not torch.cuda.is_available():
        raise ValueError('--device cuda: PyTorch finds no CUDA device here')
    torch.set_float32_matmul_precision('highest')
    name = torch.cuda.get_device_name() if device == 'cuda' else 'CPU'
    return f'{name}, matrix products without TF32, torch {torch.__version__}'


def peak_bytes(function: Callable[[], object], device: str = 'cpu') -> int:
    """Return the most bytes that tensors made within ``function`` hold at one time.

    On a GPU this includes scratch memory, and ``function`` is called once before, since libraries
    take their workspace in the first call.
    """
    if device == 'cpu':
        with PeakBytes() as counted:
            function()
        return counted.peak
    function()
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    function()
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated() - before


def milliseconds(
    functions: dict[str, Callable[[], object]],
    rounds: int,
    device: str = 'cpu',
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """Return each function's median time; they take turns, so that a busy machine hits all alike.

    Args:
        functions: Called without arguments, to warm up (once, on a GPU twice) and then ``rounds``
            times. On a GPU each call starts on an idle device, so that what the host takes to
            launch its kernels is counted where the device waits for it.
        rounds: At least 1.
        device: Where the functions compute, one of :data:`DEVICES`.
        clock: Seconds; on the CPU.
    """
    for function in functions.values():
        for _ in range(1 if device == 'cpu' else 2):
            function()
    measure = _seconds_on_gpu if device == 'cuda' else partial(_seconds, clock)
    times: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(rounds):
        for name, function in functions.items():
            times[name].append(measure(function) * 1e3)
    return {name: statistics.median(values) for name, values in times.items()}


def milliseconds_in_a_row(
    function: Callable[[], object], rounds: int, device: str = 'cpu'
) -> float:
    """Return the median time of calls that follow each other without waiting, as in training.

    Args:
        function: Called ``rounds`` times; warmed up already.
        rounds: At least 1.
        device: See :func:`milliseconds`. What the host takes counts where the device runs out of
            work.
    """
    marks = [_mark(device)]
    for _ in range(rounds):
        function()
        marks.append(_mark(device))
    if device == 'cuda':
        torch.cuda.synchronize()
        times = [a.elapsed_time(b) for a, b in pairwise(marks)]
    else:
        times = [(b - a) * 1e3 for a, b in pairwise(marks)]
    return statistics.median(times)


def _mark(device: str) -> float | torch.cuda.Event:
    if device == 'cpu':
        return time.perf_counter()
    event = torch.cuda.Event(enable_timing=True)
    event.record()
    return event


def _seconds(clock: Callable[[], float], function: Callable[[], object]) -> float:
    start = clock()
    function()
    return clock() - start


def _seconds_on_gpu(function: Callable[[], object]) -> float:
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize()
    start.record()
    function()
    end.record()
    torch.cuda.synchronize()
    return start.elapsed_time(end) / 1e3


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
