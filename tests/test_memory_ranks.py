"""Two gloo processes with different images must hold identical memories."""

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from semcl_mm.memory import FeatureQueue, RegionMemoryBank


def fill(rank, folder):
    dist.init_process_group('gloo', f'file://{folder}/store', rank=rank, world_size=2)
    torch.manual_seed(0)  # the queue starts equal, as a model does under DistributedDataParallel
    queue = FeatureQueue(6, 10)
    bank = RegionMemoryBank(3, 6, 8, 12, dtype=torch.bfloat16)
    torch.manual_seed(rank)
    images = []
    for step in range(4):
        queue.enqueue(torch.randn(3, 6))
        embeddings, labels = torch.randn(2, 6, 4, 4 + rank), torch.randint(0, 4, (2, 8, 8))
        images.append(torch.tensor([2 * step + rank, 7]))
        bank.update(embeddings, labels, images[-1])
    states = {f'queue.{k}': v for k, v in queue.state_dict().items()}
    states.update({f'bank.{k}': v for k, v in bank.state_dict().items()})
    torch.save(states, f'{folder}/{rank}.pth')
    dist.destroy_process_group()


def test_ranks_agree_after_any_number_of_steps_and_hold_what_both_brought(tmp_path):
    mp.spawn(fill, (str(tmp_path),), nprocs=2)
    first, second = (torch.load(tmp_path / f'{rank}.pth') for rank in range(2))
    for name, buffer in first.items():
        assert torch.equal(buffer, second[name]), name
    assert first['queue.filled'] == 10
    assert first['queue.pointer'] == 4 * 2 * 3 % 10
    slots = first['bank.region_filled'][:-1].view(3, 8).any(dim=0)
    assert slots.tolist() == [True] * 8  # slots of both ranks' images
