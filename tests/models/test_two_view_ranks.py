"""DenseCL over two processes: ShuffleBN changes statistics alone, and both end with one queue."""

import multiprocessing

import pytest
import torch
from mmengine.model import BaseDataPreprocessor
from tiny_networks import TinyBackbone
from torch import distributed

from semcl_mm.models import DenseCL, DenseMLPHead, MLPHead

BATCH = 4


def step(shuffle_bn, batch_norm, rank=0):
    """A step on this process's images; its losses and both queues."""
    torch.manual_seed(0)
    model = DenseCL(
        backbone=TinyBackbone(batch_norm),
        projector=MLPHead(8, 16, 6, bias=True, hidden_norm=False, last_norm=False),
        dense_projector=DenseMLPHead(8, out_channels=6),
        queue_size=12,
        symmetric=True,
        shuffle_bn=shuffle_bn,
        data_preprocessor=BaseDataPreprocessor(),
    ).double()
    generator = torch.Generator().manual_seed(1)
    shape = (2, 2 * BATCH, 3, 8, 8)
    views = torch.randn(shape, generator=generator, dtype=torch.float64)
    losses = model.loss(list(views[:, rank * BATCH : (rank + 1) * BATCH]))
    queues = [queue.features for queue in model.queues.values()]
    return [losses['loss_image'].item(), losses['loss_dense'].item()], torch.stack(queues).numpy()


def on_rank(rank, path, results, *arguments):
    torch.set_num_threads(1)
    distributed.init_process_group('gloo', f'file://{path}', rank=rank, world_size=2)
    results.put((rank, step(*arguments, rank=rank)))
    distributed.barrier()
    distributed.destroy_process_group()


def on_two_ranks(path, *arguments):
    context = multiprocessing.get_context('fork')
    results = context.Queue()
    processes = [
        context.Process(target=on_rank, args=(rank, path, results, *arguments)) for rank in (0, 1)
    ]
    for process in processes:
        process.start()
    found = dict(results.get(timeout=60) for _ in processes)
    for process in processes:
        process.join(timeout=60)
    return found[0], found[1]


@pytest.mark.parametrize('batch_norm', [False, True])
def test_shuffled_keys_come_back_to_their_queries(tmp_path, batch_norm):
    """Without batch statistics a shuffle changes nothing; with them it changes the losses."""
    plain = on_two_ranks(tmp_path / 'plain', False, batch_norm)
    shuffled = on_two_ranks(tmp_path / 'shuffled', True, batch_norm)
    for one, two in (plain, shuffled):
        assert (one[1] == two[1]).all()  # both queues, the same on both processes
    for before, after in zip(plain, shuffled, strict=True):
        assert (before[0] == pytest.approx(after[0], abs=1e-9)) != batch_norm
