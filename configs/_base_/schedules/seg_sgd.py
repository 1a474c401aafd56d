"""SGD for ResNets: lr 0.01, momentum 0.9, weight decay 5e-4, poly decay with power 0.9.

The decay ends with the run: MMEngine fills ``end`` with ``train_cfg.max_iters``.
"""

from mmengine.optim import PolyLR
from mmengine.runner import IterBasedTrainLoop, TestLoop, ValLoop
from torch.optim import SGD

from semcl_mm.engine import OptimWrapper

train_cfg = dict(type=IterBasedTrainLoop, max_iters=80000, val_interval=8000)
val_cfg = dict(type=ValLoop)
test_cfg = dict(type=TestLoop)
optim_wrapper = dict(
    type=OptimWrapper,
    optimizer=dict(type=SGD, lr=0.01, momentum=0.9, weight_decay=5e-4),
)
param_scheduler = [
    dict(type=PolyLR, power=0.9, eta_min=1e-4, begin=0, by_epoch=False),
]
