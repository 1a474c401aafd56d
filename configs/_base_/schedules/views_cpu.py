"""A short pretraining on plain views for a CPU: SGD, 400 updates of 32 images, warm-up and cosine per update.

One budget for all methods that are compared. The target's momentum rises from 0.99 to 1: with
0.999 it would hardly leave its start in so few updates.
"""

from mmengine.optim import CosineAnnealingLR, LinearLR
from mmengine.runner import IterBasedTrainLoop
from torch.optim import SGD

from semcl_mm.engine import MomentumUpdateHook, OptimWrapper

train_cfg = dict(type=IterBasedTrainLoop, max_iters=400)
optim_wrapper = dict(
    type=OptimWrapper,
    optimizer=dict(type=SGD, lr=0.06, momentum=0.9, weight_decay=1e-4),
)
param_scheduler = [
    dict(type=LinearLR, start_factor=1e-2, begin=0, end=40, by_epoch=False),
    dict(type=CosineAnnealingLR, eta_min=0.0, begin=0, by_epoch=False),
]
custom_hooks = [dict(type=MomentumUpdateHook, momentum=0.99)]
