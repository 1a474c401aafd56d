"""ShuffleBN in two gloo processes: what is mixed, and that all of it finds its way back."""

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from test_cacl import frames, tiny_cacl
from torch import nn

from semcl_mm.models.shuffle_bn import shuffle_batch

IMAGES = 3  # not a multiple of the processes


def process(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group('gloo', f'file://{folder}/store', rank=rank, world_size=2)
    torch.manual_seed(rank)
    own = torch.arange(IMAGES) + 10.0 * rank
    batch = shuffle_batch(own[:, None, None, None].expand(-1, 2, 4, 4))
    assert torch.equal(batch.restore(batch.images[:, 0, 0, 0]), own)
    result = {'received': batch.images[:, 0, 0, 0].clone()}
    norm = nn.BatchNorm2d(2).train()
    result['mixed'] = batch.restore(norm(batch.images).detach())[:, 0, 0, 0]
    # A step of CACL: without a batch norm it is the same, mixed or not.
    for shuffle_bn in (False, True):
        model = tiny_cacl(shuffle_bn=shuffle_bn)
        result[shuffle_bn] = model.loss(frames(batch=IMAGES, seed=rank))
        result[f'queue{shuffle_bn}'] = model.queues['global'].features
    with pytest.raises(ValueError, match='1 images out to 2 processes'):
        shuffle_batch(own[:1])
    torch.save(result, f'{folder}/{rank}.pt')
    dist.destroy_process_group()


def test_two_processes_deal_their_images_out_and_get_their_embeddings_back(tmp_path):
    mp.start_processes(process, (str(tmp_path),), nprocs=2, start_method='fork')
    first, second = (torch.load(tmp_path / f'{rank}.pt') for rank in range(2))
    received = [first['received'], second['received']]
    assert sorted(torch.cat(received).tolist()) == [0, 1, 2, 10, 11, 12]
    for images in received:
        assert (images < 5).sum() == (images > 5).sum()
    # Each image was normalised with the mixed batch that it was in.
    for result, rank in ((first, 0), (second, 1)):
        for image, value in enumerate(result['mixed'].tolist()):
            (where,) = (batch for batch in received if image + 10 * rank in batch)
            std = where.var(unbiased=False).add(1e-5).sqrt()
            assert value == pytest.approx(float((image + 10 * rank - where.mean()) / std), abs=1e-5)
        for name, value in result[False].items():
            torch.testing.assert_close(result[True][name], value, rtol=0, atol=1e-12)
    assert torch.equal(first['queueTrue'], second['queueTrue'])
    torch.testing.assert_close(first['queueTrue'], first['queueFalse'], rtol=0, atol=1e-12)


def test_a_single_process_has_nothing_to_mix():
    images = torch.randn(2, 3, 4, 4)
    batch = shuffle_batch(images)
    assert batch.images is images
    assert batch.restore(images) is images
