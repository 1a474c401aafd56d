"""AdamW for depth: lr 1e-4, weight decay 0.01 (none on norms), linear warm-up, linear decay, 38,400 iterations.

The length is that of BinsFormer's NYUv2 runs (batch 16); the rest is a usual choice, no paper's.
The decay ends with the run: MMEngine fills ``end`` with ``train_cfg.max_iters``.
"""

from mmengine.optim import LinearLR, PolyLR
from mmengine.runner import IterBasedTrainLoop, TestLoop, ValLoop
from torch.optim import AdamW

from semcl_mm.engine import GroupedOptimWrapperConstructor, OptimWrapper

train_cfg = dict(type=IterBasedTrainLoop, max_iters=38400, val_interval=4800)
val_cfg = dict(type=ValLoop)
test_cfg = dict(type=TestLoop)
optim_wrapper = dict(
    type=OptimWrapper,
    optimizer=dict(type=AdamW, lr=1e-4, betas=(0.9, 0.999), weight_decay=0.01),
    constructor=GroupedOptimWrapperConstructor,
    paramwise_cfg=dict(
        norm_decay_mult=0.0,
        custom_keys={
            'absolute_pos_embed': dict(decay_mult=0.0),
            'relative_position_bias_table': dict(decay_mult=0.0),
        },
    ),
    clip_grad=dict(max_norm=10.0),
)
param_scheduler = [
    dict(type=LinearLR, start_factor=1e-3, begin=0, end=1500, by_epoch=False),
    dict(type=PolyLR, power=1.0, eta_min=0.0, begin=1500, by_epoch=False),
]
