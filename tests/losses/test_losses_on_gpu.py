"""On a GPU each loss is what it is on the CPU, under autocast too, and it never waits."""

from contextlib import nullcontext

import pytest
import torch
import torch.nn.functional as F
from loss_oracles import vectors

from semcl_mm.losses import (
    berhu,
    cycle_attention,
    dense_info_nce,
    gradient_smoothness,
    info_nce,
    local_to_global_info_nce,
    match_by_similarity,
    paired_info_nce,
    pixel_contrast,
    semantic_weights,
)

pytestmark = pytest.mark.gpu

LABELS = torch.tensor([0, 1, 2, 0, 1, -1, 2, 2, 0, 1])


def _dense(query, key, queue):
    match, similarity = match_by_similarity(query.detach(), key.detach())
    in_box = torch.arange(query.shape[1], device=query.device).expand_as(match) % 3 == 0
    return dense_info_nce(query, key, match, queue, weights=semantic_weights(similarity, in_box))


def _soft_cycle(here, there, queue):
    dtype = torch.promote_types(here.dtype, torch.float32)
    with torch.autocast(here.device.type, enabled=False):  # the target is not part of the loss
        target = (here.detach().to(dtype) @ there.detach().to(dtype).mT).softmax(dim=-1)
    return cycle_attention(here, there, negatives=queue, soft_target=target)


def _pixels(anchors, keys, **options):
    labels = LABELS.to(anchors.device, non_blocking=True)
    key_labels = labels.repeat(3)[: len(keys)]
    return pixel_contrast(anchors, labels, keys, key_labels, **options)


CASES = {
    'info_nce': (info_nce, [(6, 8), (6, 8), (50, 8)]),
    'paired_info_nce': (paired_info_nce, [(3, 4, 8)] * 3),
    'pixel_contrast': (_pixels, [(10, 8), (30, 8)]),
    'pixel_contrast of anchors': (lambda x: _pixels(x, x, exclude_self=True), [(10, 8)]),
    'dense_info_nce': (_dense, [(2, 9, 8), (2, 9, 8), (70, 8)]),
    'cycle_attention': (
        lambda here, there, queue: cycle_attention(here, there, negatives=queue),
        [(2, 9, 8), (2, 9, 8), (70, 8)],
    ),
    'cycle_attention, soft': (_soft_cycle, [(2, 9, 8), (2, 9, 8), (70, 8)]),
    'local_to_global_info_nce': (local_to_global_info_nce, [(4, 8), (4, 9, 8)]),
    'berhu': (berhu, [(2, 1, 6, 7), (2, 1, 6, 7)]),
    'gradient_smoothness': (gradient_smoothness, [(2, 1, 6, 7), (2, 3, 6, 7)]),
}


def _value_and_gradient(loss, inputs, autocast=None):
    first = inputs[0].clone().requires_grad_()
    with autocast or nullcontext():
        value = loss(first, *inputs[1:])
    return value.detach(), *torch.autograd.grad(value, first)


@pytest.mark.parametrize('name', CASES)
def test_value_and_gradient_are_those_of_the_cpu(name):
    loss, shapes = CASES[name]
    inputs = [vectors(*shape, seed=seed) for seed, shape in enumerate(shapes)]
    expected = _value_and_gradient(loss, inputs)
    found = _value_and_gradient(loss, [x.cuda() for x in inputs])
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one.cpu(), other, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
@pytest.mark.parametrize('name', [name for name in CASES if 'berhu' not in name])
def test_autocast_does_not_lower_the_precision_of_a_loss(name, dtype):
    loss, shapes = CASES[name]
    inputs = [vectors(*shape, seed=seed).float().cuda() for seed, shape in enumerate(shapes)]
    expected = _value_and_gradient(loss, inputs)
    found = _value_and_gradient(loss, inputs, torch.autocast('cuda', dtype=dtype))
    with torch.autocast('cuda', dtype=dtype):
        narrow = loss(*(x.to(dtype) for x in inputs))  # what a network under autocast hands over
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    assert narrow.dtype == torch.float32
    torch.testing.assert_close(narrow, expected[0], rtol=0.05, atol=0.05)


@pytest.mark.parametrize('name', CASES)
def test_forward_and_backward_never_wait_for_the_device(name):
    loss, shapes = CASES[name]
    inputs = [vectors(*shape, seed=seed).float().cuda() for seed, shape in enumerate(shapes)]
    _value_and_gradient(loss, inputs)  # the first call may allocate
    torch.cuda.set_sync_debug_mode('error')
    try:
        _value_and_gradient(loss, inputs)
    finally:
        torch.cuda.set_sync_debug_mode('default')


def test_a_long_queue_is_streamed_within_its_budget():
    query, key = (F.normalize(torch.randn(8, 49, 128, device='cuda'), dim=-1) for _ in range(2))
    queue = F.normalize(torch.randn(65536, 128, device='cuda'), dim=-1)
    match = torch.randint(49, (8, 49), device='cuda')
    query.requires_grad_()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    dense_info_nce(query, key, match, queue).backward()
    assert torch.cuda.max_memory_allocated() - before < 20 * 2**20
