"""SGD for a linear classifier on frozen features: lr 0.6, momentum 0.9, no weight decay, poly 0.9.

CACL states lr, weight decay and 300 epochs; momentum and schedule are not stated.
"""

from mmengine.optim import PolyLR
from mmengine.runner import IterBasedTrainLoop, TestLoop, ValLoop
from torch.optim import SGD

from semcl_mm.engine import GroupedOptimWrapperConstructor, OptimWrapper

train_cfg = dict(type=IterBasedTrainLoop, max_iters=55800, val_interval=5580)
val_cfg = dict(type=ValLoop)
test_cfg = dict(type=TestLoop)
optim_wrapper = dict(
    type=OptimWrapper,
    optimizer=dict(type=SGD, lr=0.6, momentum=0.9, weight_decay=0.0),
    constructor=GroupedOptimWrapperConstructor,
)
param_scheduler = [dict(type=PolyLR, power=0.9, eta_min=0.0, begin=0, by_epoch=False)]
