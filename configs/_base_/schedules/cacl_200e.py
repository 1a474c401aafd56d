"""CACL's recipe: LARS, lr 1.0, momentum 0.9, weight decay 1e-6, trust 0.001, cosine, batch 512.

Not stated in the paper: 200 epochs without warm-up (MoCo v2's), no adaptation and no decay of norms
and biases (usual with LARS: this one adapts what is decayed), the precision (bf16). Momentum of
the target: 0.999, constant, as in MoCo v2. 93,800 updates = 200 epochs x 469 (240 k videos in
batches of 512).
"""

from mmengine.optim import CosineAnnealingLR
from mmengine.runner import IterBasedTrainLoop

from semcl_mm.engine import (
    AmpOptimWrapper,
    GroupedOptimWrapperConstructor,
    Lars,
    MomentumUpdateHook,
)

expected_start = 'random'
train_cfg = dict(type=IterBasedTrainLoop, max_iters=93800)
optim_wrapper = dict(
    type=AmpOptimWrapper,
    dtype='bfloat16',
    optimizer=dict(type=Lars, lr=1.0, momentum=0.9, weight_decay=1e-6, trust_coeff=0.001),
    constructor=GroupedOptimWrapperConstructor,
    paramwise_cfg=dict(norm_decay_mult=0.0, bias_decay_mult=0.0),
)
param_scheduler = [dict(type=CosineAnnealingLR, eta_min=0.0, begin=0, by_epoch=False)]
custom_hooks = [dict(type=MomentumUpdateHook, momentum=0.999, schedule='constant')]
