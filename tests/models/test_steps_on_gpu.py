"""What only a GPU can show of a training step: from uint8 views to the target nothing waits."""

import pytest
import torch
from test_cacl import tiny_cacl
from test_local_to_global_model import tiny_model as tiny_local_to_global
from test_pixcon import PREDICTORS, tiny

from semcl_mm.datasets.photometry import GRAY, HUE, IDENTITY, ORDER, SIGMA, THRESHOLD
from semcl_mm.engine import AmpOptimWrapper, Lars, OptimWrapper
from semcl_mm.models import PixCon, ViewDataPreprocessor

pytestmark = pytest.mark.gpu
BATCH, SIDE = 3, 8  # the networks' strides divide the side
METHODS = {
    'local-to-global': tiny_local_to_global,
    'pixcon-nearest': lambda: tiny(PixCon, match='nearest', **PREDICTORS),
    'pixcon-roi-align': lambda: tiny(PixCon, match='roi_align', **PREDICTORS),
    'pixcon-sr': lambda: tiny(PixCon, reweight=True, **PREDICTORS),
    'cacl': lambda: tiny_cacl(pixel_shuffle=True),
}


def batch_in_pinned_memory():
    """Two uint8 views with their boxes, and photometry of which every step takes part."""
    generator = torch.Generator().manual_seed(1)
    shape = (BATCH, 3, SIDE, SIDE)
    views = [torch.randint(256, shape, generator=generator, dtype=torch.uint8) for _ in range(2)]
    photometry = torch.from_numpy(IDENTITY).repeat(BATCH, 2, 1, 1)
    photometry[0, :, :, : HUE + 1] = torch.tensor([1.2, 0.8, 1.1, 0.05])
    photometry[0, :, :, ORDER] = 7
    photometry[1, :, :, [GRAY, SIGMA]] = torch.tensor([1.0, 0.7])
    photometry[2, :, :, THRESHOLD] = 128
    return dict(
        inputs=[view.pin_memory() for view in views],
        boxes=torch.tensor([[[0.1, 0.0, 0.9, 0.7], [0.0, 0.4, 1.0, 1.0]]] * BATCH).pin_memory(),
        flipped=torch.tensor([[False, True]] * BATCH).pin_memory(),
        data_samples=[],
        photometry=photometry.pin_memory(),
    )


@pytest.mark.parametrize('wrapper', [OptimWrapper, AmpOptimWrapper])
@pytest.mark.parametrize('method', METHODS)
def test_a_step_from_uint8_views_to_the_target_never_waits_for_the_device(method, wrapper):
    model = METHODS[method]().float()
    model.data_preprocessor = ViewDataPreprocessor(photometry=True)
    model = model.cuda().train()
    named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    groups = [
        dict(params=[p for _, p in named if p.dim() > 1], weight_decay=1e-6),  # LARS adapts these
        dict(params=[p for _, p in named if p.dim() <= 1], weight_decay=0.0),
    ]
    optim_wrapper = wrapper(optimizer=Lars(groups, lr=0.1, momentum=0.9))
    data = batch_in_pinned_memory()

    def step():
        losses = model.train_step(data, optim_wrapper)
        if hasattr(model, 'update_target'):
            model.update_target(0.99)
        return losses

    step()  # the first one makes tables, buffers and the optimiser's state
    before = [p.detach().clone() for _, p in named]
    torch.cuda.set_sync_debug_mode('error')
    try:
        losses = step()
    finally:
        torch.cuda.set_sync_debug_mode('default')
    assert all(torch.isfinite(value).all() for value in losses.values())
    moved = [not torch.equal(p, old) for (_, p), old in zip(named, before, strict=True)]
    assert sum(moved) > len(moved) / 2
