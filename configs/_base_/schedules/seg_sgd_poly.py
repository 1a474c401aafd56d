"""SGD as in pixel contrast: lr 0.01, momentum 0.9, weight decay 5e-4, poly 0.9 down to zero, 100k.

The decay ends with the run: MMEngine fills ``end`` with ``train_cfg.max_iters``.
"""

from mmengine.optim import PolyLR
from mmengine.runner import IterBasedTrainLoop, TestLoop, ValLoop
from torch.optim import SGD

from semcl_mm.engine import OptimWrapper

train_cfg = dict(type=IterBasedTrainLoop, max_iters=100000, val_interval=10000)
val_cfg = dict(type=ValLoop)
test_cfg = dict(type=TestLoop)
optim_wrapper = dict(
    type=OptimWrapper,
    optimizer=dict(type=SGD, lr=0.01, momentum=0.9, weight_decay=5e-4),
)
param_scheduler = [
    dict(type=PolyLR, power=0.9, eta_min=0.0, begin=0, by_epoch=False),
]
