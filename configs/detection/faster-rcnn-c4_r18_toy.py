"""Faster R-CNN C4 with a half-width ResNet-18 on the toy world (8 classes), boxes alone, with PreciseBN.

tools/train.py configs/detection/faster-rcnn-c4_r18_toy.py --pretrained work_dirs/toy/iter_160.pth
"""

from mmengine.config import read_base

from semcl_mm.engine import PreciseBNHook

with read_base():
    from .._base_.backbones.resnet18_narrow import *
    from .._base_.datasets.det_toy import *
    from .._base_.default_runtime import *
    from .._base_.models.faster_rcnn_c4 import *
    from .._base_.models.small_detector import *
    from .._base_.schedules.det_adamw import *

backbone.pop('out_indices')
trunk_channels, box_channels = backbone_channels[2:]
model.merge(
    dict(
        backbone=dict(backbone, type=c4_backbone),
        rpn_head=dict(in_channels=trunk_channels, feat_channels=trunk_channels),
        roi_head=dict(
            shared_head=dict(channels=box_channels),
            bbox_roi_extractor=dict(out_channels=trunk_channels),
            bbox_head=dict(in_channels=box_channels, num_classes=num_classes),
        ),
        train_cfg=dict(small_train_cfg, rcnn=dict(sampler=small_sampler)),
        test_cfg=small_test_cfg,
    )
)
optim_wrapper.optimizer.lr = 4e-4
train_cfg.merge(dict(max_iters=600, val_interval=600))
param_scheduler[0].end = 50
param_scheduler[1].milestones = [450, 550]
custom_hooks = [dict(type=PreciseBNHook, iterations=20)]
default_hooks.merge(dict(logger=dict(interval=20), checkpoint=dict(interval=600)))
val_evaluator.iou_types = dict(bbox='box')
test_evaluator = val_evaluator
