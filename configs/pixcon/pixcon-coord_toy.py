"""PixCon-Coord on the toy world, half-width ResNet-18, 64 x 64 views, 400 updates of 32 images: for a CPU.

Not in the paper.
    tools/train.py configs/pixcon/pixcon-coord_toy.py
"""

from mmengine.config import read_base

with read_base():
    from .._base_.backbones.resnet18_narrow import *
    from .._base_.datasets.views_toy import *
    from .._base_.default_runtime import *
    from .._base_.models.pixcon import *
    from .._base_.schedules.views_cpu import *

model.merge(
    dict(
        backbone=dict(backbone, out_indices=(3,), zero_init_residual=False),
        projector=dict(in_channels=backbone_channels[-1], hidden_channels=512),
        dense_projector=dict(in_channels=backbone_channels[-1], hidden_channels=512),
        predictor=dict(hidden_channels=512),
        dense_predictor=dict(hidden_channels=512),
        queue_size=256,
        match='roi_align',
    )
)
default_hooks.merge(dict(logger=dict(interval=20), checkpoint=dict(interval=400)))
