"""The contrast head of a segmentor on a GPU: finite under autocast, and it never waits."""

import pytest
import torch
from contrast_models import SEGMENTORS, batch, build

pytestmark = pytest.mark.gpu


def on_gpu(seed=0):
    inputs, samples = batch(seed=seed)
    return inputs.cuda(), [sample.cuda() for sample in samples]


@pytest.mark.parametrize('name', SEGMENTORS)
@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_a_segmentor_trains_under_autocast(name, dtype):
    model = build(name).cuda()
    for seed in range(2):
        with torch.autocast('cuda', dtype=dtype):
            losses = model.loss(*on_gpu(seed))
    assert losses['loss_contrast'] > 0
    assert losses['memory_filled'] > 0
    total = sum(value for key, value in losses.items() if 'loss' in key)
    (total * 2.0**8).backward()
    gradients = [p.grad for p in model.contrast_head.parameters()]
    assert all(gradient.isfinite().all() for gradient in gradients)
    assert all(gradient.any() for gradient in gradients)


@pytest.mark.parametrize('memory', ['both', 'pixel', 'region', None])
def test_the_contrast_head_never_waits_for_the_device(memory):
    settings = dict(num_images=6, pixels_per_class=40, memory=memory) if memory else None
    model = build('fcn', memory=settings).cuda()
    (inputs, samples), head = on_gpu(), model.contrast_head
    with torch.no_grad():
        features = [feature.detach() for feature in model.extract_feat(inputs)]
        predictions = model.decode_head(features).argmax(dim=1)
    features = [feature.requires_grad_() for feature in features]
    for _ in range(2):  # the first steps may allocate
        head.loss(features, samples, predictions=predictions)['loss_contrast'].backward()
    torch.cuda.set_sync_debug_mode('error')
    try:
        losses = head.loss(features, samples, predictions=predictions)
        losses['loss_contrast'].backward()
    finally:
        torch.cuda.set_sync_debug_mode('default')
    assert losses['loss_contrast'] > 0
