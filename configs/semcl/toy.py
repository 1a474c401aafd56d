"""SemCL on the toy world: ResNet-18 at half width, 64 x 64 views, 160 updates of 16 pairs.

The first step of ``make demo``; it shows that everything works, not what SemCL can do.
    tools/train.py configs/semcl/toy.py
"""

from mmengine.config import read_base

with read_base():
    from .._base_.backbones.resnet18_narrow import *
    from .._base_.datasets.pairs_toy import *
    from .._base_.default_runtime import *
    from .._base_.models.semcl_resnet import *
    from .._base_.schedules.semcl_30k import *

model.merge(
    dict(
        backbone=dict(backbone, out_indices=(3,)),
        projector=dict(in_channels=backbone_channels[-1], hidden_channels=512, out_channels=128),
        predictor=dict(in_channels=128, hidden_channels=512, out_channels=128),
    )
)
train_cfg.merge(dict(max_iters=160))
optim_wrapper.merge(dict(optimizer=dict(lr=1e-3)))
default_hooks.merge(dict(logger=dict(interval=20), checkpoint=dict(interval=80)))
