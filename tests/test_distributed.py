"""Gathering in one process and in two gloo processes, which must agree with a single one."""

import socket

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from semcl_mm.distributed import all_gather, all_gather_with_grad, rank, world_size

PROCESSES, ROWS, CHANNELS = 2, 3, 4


def test_a_single_process_gathers_itself():
    x = torch.ones(2, 3, requires_grad=True)
    assert (rank(), world_size()) == (0, 1)
    assert all_gather_with_grad(x) is x
    gathered = all_gather(x)
    assert torch.equal(gathered, x)
    assert not gathered.requires_grad


def _embeddings() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(
        PROCESSES * ROWS, CHANNELS, generator=generator, dtype=torch.float64, requires_grad=True
    )


def _loss(own: torch.Tensor, everything: torch.Tensor, process: int) -> torch.Tensor:
    """Return a loss that couples own rows with all rows and differs from process to process."""
    return (process + 1) * torch.logsumexp(own @ everything.T, dim=1).pow(2).sum()


def _process(process: int, port: int, folder: str) -> None:
    dist.init_process_group(
        'gloo', init_method=f'tcp://127.0.0.1:{port}', rank=process, world_size=PROCESSES
    )
    whole = _embeddings().detach()
    own = whole[process * ROWS : (process + 1) * ROWS].clone().requires_grad_()
    assert (rank(), world_size()) == (process, PROCESSES)
    assert torch.equal(all_gather(own), whole)
    assert not all_gather(own).requires_grad
    assert torch.equal(all_gather(torch.tensor([process])), torch.arange(PROCESSES))
    everything = all_gather_with_grad(own.T.contiguous().T)  # not contiguous
    assert torch.equal(everything, whole)
    _loss(own, everything, process).backward()
    torch.save(own.grad, f'{folder}/{process}.pt')
    dist.destroy_process_group()


def test_two_processes_get_the_gradient_of_the_sum_of_both_losses(tmp_path):
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    mp.spawn(_process, (port, str(tmp_path)), nprocs=PROCESSES)
    whole = _embeddings()
    own = [whole[p * ROWS : (p + 1) * ROWS] for p in range(PROCESSES)]
    (expected,) = torch.autograd.grad(sum(_loss(own[p], whole, p) for p in range(PROCESSES)), whole)
    gradient = torch.cat([torch.load(tmp_path / f'{p}.pt') for p in range(PROCESSES)])
    torch.testing.assert_close(gradient, expected, rtol=0, atol=1e-10)
    shortcut = torch.autograd.grad(_loss(own[0], torch.cat([own[0], own[1].detach()]), 0), whole)[0]
    assert not torch.allclose(gradient[:ROWS], shortcut[:ROWS])


@pytest.mark.parametrize('function', [all_gather, all_gather_with_grad])
def test_gathering_needs_no_process_group(function):
    assert not dist.is_initialized()
    assert function(torch.zeros(1)).shape == (1,)
