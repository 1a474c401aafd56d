"""Mask R-CNN with a half-width ResNet-18 on the toy world (8 classes), 600 iterations of 8 images.

About eleven minutes of a CPU core.
    tools/train.py configs/detection/mask-rcnn_r18_toy.py --pretrained work_dirs/toy/iter_160.pth
"""

from mmengine.config import read_base

with read_base():
    from .._base_.backbones.resnet18_narrow import *
    from .._base_.datasets.det_toy import *
    from .._base_.default_runtime import *
    from .._base_.models.mask_branch import *
    from .._base_.models.mask_rcnn_roi_head import *
    from .._base_.models.small_detector import *
    from .._base_.models.two_stage_fpn import *
    from .._base_.schedules.det_adamw import *

mask_branch.merge(small_mask_branch)
mask_branch.mask_head.num_classes = num_classes
roi_head.merge(dict(mask_branch, bbox_roi_extractor=small_bbox_roi_extractor))
roi_head.bbox_head.merge(dict(small_bbox_head, num_classes=num_classes))
rcnn_train_cfg.sampler.merge(small_sampler)
model.merge(
    dict(
        type=detector,
        backbone=backbone,
        neck=dict(small_neck, in_channels=backbone_channels),
        rpn_head=small_rpn_head,
        roi_head=roi_head,
        train_cfg=dict(small_train_cfg, rcnn=rcnn_train_cfg),
        test_cfg=small_test_cfg,
    )
)
optim_wrapper.optimizer.lr = 4e-4
train_cfg.merge(dict(max_iters=600, val_interval=600))
param_scheduler[0].end = 50
param_scheduler[1].milestones = [450, 550]
default_hooks.merge(dict(logger=dict(interval=20), checkpoint=dict(interval=600)))
