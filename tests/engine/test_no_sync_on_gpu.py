"""On a GPU, CUDA itself reports a step that waits for the device."""

import pytest
import torch
from mmengine.registry import MODELS
from tiny_run import TinyBackbone, tiny_model

from semcl_mm.engine import AmpOptimWrapper, OptimWrapper


@pytest.mark.gpu
@pytest.mark.parametrize('wrapper', [OptimWrapper, AmpOptimWrapper])
def test_a_training_step_never_waits_for_the_device(wrapper):
    model = MODELS.build(tiny_model(backbone=dict(type=TinyBackbone))).cuda().train()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optim_wrapper = wrapper(optimizer=torch.optim.AdamW(trained), clip_grad=dict(max_norm=1.0))
    data = {'inputs': [torch.randn(4, 2, 3, 8, 8, device='cuda') for _ in range(3)]}
    model.train_step(data, optim_wrapper)  # the first step may allocate
    torch.cuda.set_sync_debug_mode('error')
    try:
        model.train_step(data, optim_wrapper)
        model.update_target(0.99)
    finally:
        torch.cuda.set_sync_debug_mode('default')
