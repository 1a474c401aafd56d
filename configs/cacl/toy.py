"""CACL on the toy world's clips: ResNet-18 at half width, 64 x 64 views, 1600 updates of 16 pairs.

Not in the paper; a pretraining of tools/experiments/dense_toy.sh. LARS is made for batches of hundreds: here SGD, at
a small rate: with 0.1 the heads collapse, as it seems because the queue's keys can be told by their age alone.
The hard cycle, because the soft ones spread the cycle head too slowly for so few updates (docs/cacl.md).
    tools/train.py configs/cacl/toy.py
"""

from mmengine.config import read_base
from torch.optim import SGD

with read_base():
    from .._base_.backbones.resnet18_narrow_os8 import *
    from .._base_.datasets.frames_toy import *
    from .._base_.default_runtime import *
    from .._base_.models.cacl import *
    from .._base_.schedules.cacl_200e import *

model.merge(
    dict(
        backbone=dict(backbone, out_indices=(3,)),
        head=dict(in_channels=backbone_channels[-1]),
        queue_size=128,  # eight steps: there are 72 clips
        cycle_target='identity',
    )
)
train_cfg.merge(dict(max_iters=1600))
optim_wrapper.merge(
    dict(optimizer=dict(_delete_=True, type=SGD, lr=0.02, momentum=0.9, weight_decay=1e-4))
)
custom_hooks[0].merge(dict(momentum=0.99))
default_hooks.merge(dict(logger=dict(interval=20), checkpoint=dict(interval=1600)))
sync_bn = None
auto_scale_lr = dict(enable=False, base_batch_size=16)
