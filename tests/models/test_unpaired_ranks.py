"""Unpaired InfoNCE over two processes sees the keys of both."""

import multiprocessing

import torch
import torch.nn.functional as F
from torch import distributed

from semcl_mm.models import UnpairedInfoNCELoss

VIEWS, BATCH, CHANNELS = 3, 4, 5


def embeddings():
    generator = torch.Generator().manual_seed(0)
    shape = (2, VIEWS, 2 * BATCH, CHANNELS)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def half_a_batch(rank, path, results):
    torch.set_num_threads(1)
    distributed.init_process_group('gloo', f'file://{path}', rank=rank, world_size=2)
    queries, keys = embeddings()[:, :, rank * BATCH : (rank + 1) * BATCH]
    loss = UnpairedInfoNCELoss(temperature=0.3)(queries, keys, torch.zeros(0))
    results.put((rank, loss.item()))
    distributed.destroy_process_group()


def test_each_process_contrasts_with_the_keys_of_all(tmp_path):
    context = multiprocessing.get_context('fork')
    results = context.Queue()
    processes = [
        context.Process(target=half_a_batch, args=(rank, tmp_path / 'store', results))
        for rank in (0, 1)
    ]
    for process in processes:
        process.start()
    losses = dict(results.get(timeout=60) for _ in processes)
    for process in processes:
        process.join(timeout=60)
    queries, keys = F.normalize(embeddings(), dim=-1)
    for rank in (0, 1):
        rows = torch.arange(rank * BATCH, (rank + 1) * BATCH)
        expected = 0
        for t, j in ((0, 1), (1, 2), (2, 0)):
            logits = queries[t][rows] @ keys[j].T / 0.3
            expected = expected + 2 * 0.3 * F.cross_entropy(logits, rows)
        torch.testing.assert_close(torch.tensor(losses[rank], dtype=torch.float64), expected)
