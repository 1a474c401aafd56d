"""Detectron2's 1x for batches of 16 images: 90k iterations, SGD, lr 0.02, a tenth at 60k and 80k.

Momentum 0.9, weight decay 1e-4 (none on norms), 1000 iterations of linear warm-up from 1/1000.
"""

from mmengine.optim import LinearLR, MultiStepLR
from mmengine.runner import IterBasedTrainLoop, TestLoop, ValLoop
from torch.optim import SGD

from semcl_mm.engine import GroupedOptimWrapperConstructor, OptimWrapper

train_cfg = dict(type=IterBasedTrainLoop, max_iters=90000, val_interval=10000)
val_cfg = dict(type=ValLoop)
test_cfg = dict(type=TestLoop)
optim_wrapper = dict(
    type=OptimWrapper,
    optimizer=dict(type=SGD, lr=0.02, momentum=0.9, weight_decay=1e-4),
    constructor=GroupedOptimWrapperConstructor,
    paramwise_cfg=dict(norm_decay_mult=0.0),
)
param_scheduler = [
    dict(type=LinearLR, start_factor=1e-3, begin=0, end=1000, by_epoch=False),
    dict(type=MultiStepLR, milestones=[60000, 80000], gamma=0.1, by_epoch=False),
]
