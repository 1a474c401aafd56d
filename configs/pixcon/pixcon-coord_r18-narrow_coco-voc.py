"""PixCon-Coord on COCO and VOC 2012, half-width ResNet-18, 128 x 128 views, 400 updates of 32 images: for a CPU.

Not in the paper.
    tools/train.py configs/pixcon/pixcon-coord_r18-narrow_coco-voc.py
"""

from mmengine.config import read_base

with read_base():
    from .._base_.backbones.resnet18_narrow import *
    from .._base_.datasets.views_coco_voc import *
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
train_dataloader.merge(dict(num_workers=1, dataset=dict(size=128)))
default_hooks.merge(dict(logger=dict(interval=20), checkpoint=dict(interval=400)))
