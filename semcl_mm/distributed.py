"""Gathering over processes, with and without a gradient; the identity in a single process.

The only module that knows ranks. Works with any backend of ``torch.distributed``, gloo on the CPU
included. Every process must bring a tensor of the same shape.
"""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor
from torch.autograd.function import once_differentiable

__all__ = ['all_gather', 'all_gather_with_grad', 'deal', 'rank', 'take_back', 'world_size']


def world_size() -> int:
    """Return the number of processes, 1 without a process group."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Return the number of this process, 0 without a process group."""
    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0


@torch.no_grad()
def all_gather(x: Tensor) -> Tensor:
    """Concatenate the tensors of all processes along the first dimension, without a gradient.

    Args:
        x: (N, ...), the same shape in each process.

    Returns:
        (world_size * N, ...), rank after rank, detached; ``x`` detached in a single process.
    """
    return x.detach() if world_size() == 1 else _gather(x)


def all_gather_with_grad(x: Tensor) -> Tensor:
    """Concatenate the tensors of all processes along the first dimension, with the exact gradient.

    The gradient of ``x`` is the sum over *all* processes of what their losses say about this
    process's rows. (Gathering with ``dist.all_gather`` and putting the own tensor back, a widely
    copied shortcut, drops the terms of the other processes.) With DistributedDataParallel, which
    averages gradients, training then follows the mean of the processes' losses exactly.

    Args:
        x: (N, ...), the same shape in each process.

    Returns:
        (world_size * N, ...), rank after rank; ``x`` itself in a single process.
    """
    return x if world_size() == 1 else _Gather.apply(x)


@torch.no_grad()
def deal(x: Tensor) -> Tensor:
    """Send an even share of the rows to each process, the first to the first process and so on.

    Args:
        x: (N, ...), the same shape in each process. Where N is no multiple of the number of
            processes, the first ones get one row more.

    Returns:
        (M, ...): the share of this process from each process, in the order of the processes.
    """
    if world_size() == 1:
        return x.detach()
    shares = _shares(len(x))
    return _exchange(x, shares, [shares[rank()]] * world_size())


@torch.no_grad()
def take_back(x: Tensor, rows: int) -> Tensor:
    """Undo :func:`deal` for what has become of its rows.

    Args:
        x: (M, ...), a row for each that :func:`deal` returned here.
        rows: N, the number of rows that were dealt out here.

    Returns:
        (N, ...), in the order in which they were dealt out.
    """
    if world_size() == 1:
        return x.detach()
    shares = _shares(rows)
    return _exchange(x, [shares[rank()]] * world_size(), shares)


def _shares(rows: int) -> list[int]:
    """Return how many of ``rows`` rows each process gets."""
    each, rest = divmod(rows, world_size())
    return [each + (process < rest) for process in range(world_size())]


def _exchange(x: Tensor, sent: list[int], received: list[int]) -> Tensor:
    """Send ``sent[p]`` rows to process p and return what the others sent."""
    result = x.new_empty((sum(received), *x.shape[1:]))
    dist.all_to_all_single(result, x.contiguous(), received, sent)
    return result


def _gather(x: Tensor) -> Tensor:
    x = x.contiguous()
    gathered = x.new_empty((world_size() * x.shape[0], *x.shape[1:]))
    dist.all_gather_into_tensor(gathered, x)
    return gathered


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        return _gather(x)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> Tensor:
        grad = grad.contiguous()
        if dist.get_backend() == 'nccl':
            own = grad.new_empty((grad.shape[0] // world_size(), *grad.shape[1:]))
            dist.reduce_scatter_tensor(own, grad)
            return own
        grad = grad.clone()  # autograd may share it; gloo reduces in place
        dist.all_reduce(grad)
        return grad.chunk(world_size())[rank()]
