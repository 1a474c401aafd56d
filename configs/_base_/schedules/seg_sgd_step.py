"""MoCo's segmentation protocol: SGD, lr 0.003, momentum 0.9, weight decay 1e-4, a tenth at 70 % and 90 % of 30k.

Longer runs merge ``train_cfg`` and ``param_scheduler[0].milestones``.
"""

from mmengine.optim import MultiStepLR
from mmengine.runner import IterBasedTrainLoop, TestLoop, ValLoop
from torch.optim import SGD

from semcl_mm.engine import OptimWrapper

train_cfg = dict(type=IterBasedTrainLoop, max_iters=30000, val_interval=3000)
val_cfg = dict(type=ValLoop)
test_cfg = dict(type=TestLoop)
optim_wrapper = dict(
    type=OptimWrapper,
    optimizer=dict(type=SGD, lr=0.003, momentum=0.9, weight_decay=1e-4),
)
param_scheduler = [
    dict(type=MultiStepLR, milestones=[21000, 27000], gamma=0.1, by_epoch=False),
]
