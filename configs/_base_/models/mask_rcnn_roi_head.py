"""Mask R-CNN's box head: two fully connected layers, class-wise regression, L1 loss.

A leaf fills in ``num_classes`` and adds ``mask_branch``.
"""

from mmcv.ops import RoIAlign
from mmdet.models import (
    CrossEntropyLoss,
    L1Loss,
    MaskRCNN,
    Shared2FCBBoxHead,
    SingleRoIExtractor,
    StandardRoIHead,
)
from mmdet.models.task_modules import DeltaXYWHBBoxCoder, MaxIoUAssigner, RandomSampler

detector = MaskRCNN
roi_head = dict(
    type=StandardRoIHead,
    bbox_roi_extractor=dict(
        type=SingleRoIExtractor,
        roi_layer=dict(type=RoIAlign, output_size=7, sampling_ratio=0),
        out_channels=256,
        featmap_strides=[4, 8, 16, 32],
    ),
    bbox_head=dict(
        type=Shared2FCBBoxHead,
        in_channels=256,
        fc_out_channels=1024,
        roi_feat_size=7,
        num_classes=None,
        bbox_coder=dict(
            type=DeltaXYWHBBoxCoder,
            target_means=[0.0, 0.0, 0.0, 0.0],
            target_stds=[0.1, 0.1, 0.2, 0.2],
        ),
        reg_class_agnostic=False,
        loss_cls=dict(type=CrossEntropyLoss, use_sigmoid=False, loss_weight=1.0),
        loss_bbox=dict(type=L1Loss, loss_weight=1.0),
    ),
)
rcnn_train_cfg = dict(
    assigner=dict(
        type=MaxIoUAssigner,
        pos_iou_thr=0.5,
        neg_iou_thr=0.5,
        min_pos_iou=0.5,
        match_low_quality=False,
        ignore_iof_thr=-1,
    ),
    sampler=dict(
        type=RandomSampler, num=512, pos_fraction=0.25, neg_pos_ub=-1, add_gt_as_proposals=True
    ),
    mask_size=28,
    pos_weight=-1,
    debug=False,
)
