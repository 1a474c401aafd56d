"""AdamW for Swin detectors: 90k iterations of 16 images, lr 1e-4, a tenth at 60k and 80k.

Weight decay 0.05 (none on norms and position tables), 1000 iterations of linear warm-up.
"""

from mmengine.optim import LinearLR, MultiStepLR
from mmengine.runner import IterBasedTrainLoop, TestLoop, ValLoop
from torch.optim import AdamW

from semcl_mm.engine import GroupedOptimWrapperConstructor, OptimWrapper

train_cfg = dict(type=IterBasedTrainLoop, max_iters=90000, val_interval=10000)
val_cfg = dict(type=ValLoop)
test_cfg = dict(type=TestLoop)
optim_wrapper = dict(
    type=OptimWrapper,
    optimizer=dict(type=AdamW, lr=1e-4, betas=(0.9, 0.999), weight_decay=0.05),
    constructor=GroupedOptimWrapperConstructor,
    paramwise_cfg=dict(
        norm_decay_mult=0.0,
        custom_keys={
            'absolute_pos_embed': dict(decay_mult=0.0),
            'relative_position_bias_table': dict(decay_mult=0.0),
        },
    ),
)
param_scheduler = [
    dict(type=LinearLR, start_factor=1e-3, begin=0, end=1000, by_epoch=False),
    dict(type=MultiStepLR, milestones=[60000, 80000], gamma=0.1, by_epoch=False),
]
