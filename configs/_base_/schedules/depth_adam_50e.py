"""Adam, lr 1e-4, constant, 50 epochs of 47,584 images: the local-to-global paper's depth recipe (§4.3).

The batch is not stated there; with 16 images, 50 epochs are 148,700 iterations.
"""

from mmengine.optim import ConstantLR
from mmengine.runner import IterBasedTrainLoop, TestLoop, ValLoop
from torch.optim import Adam

from semcl_mm.engine import GroupedOptimWrapperConstructor, OptimWrapper

train_cfg = dict(type=IterBasedTrainLoop, max_iters=148700, val_interval=29740)
val_cfg = dict(type=ValLoop)
test_cfg = dict(type=TestLoop)
optim_wrapper = dict(
    type=OptimWrapper,
    optimizer=dict(type=Adam, lr=1e-4, betas=(0.9, 0.999)),
    constructor=GroupedOptimWrapperConstructor,
)
param_scheduler = [dict(type=ConstantLR, factor=1.0, by_epoch=False)]
