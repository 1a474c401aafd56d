"""Cascade R-CNN's three box heads with the usual settings: IoU 0.5, 0.6, 0.7.

A leaf fills in ``num_classes`` of each. With ``mask_branch`` it becomes Cascade Mask R-CNN.
"""

from mmcv.ops import RoIAlign
from mmdet.models import (
    CascadeRCNN,
    CascadeRoIHead,
    CrossEntropyLoss,
    Shared2FCBBoxHead,
    SingleRoIExtractor,
    SmoothL1Loss,
)
from mmdet.models.task_modules import DeltaXYWHBBoxCoder, MaxIoUAssigner, RandomSampler

detector = CascadeRCNN
roi_head = dict(
    type=CascadeRoIHead,
    num_stages=3,
    stage_loss_weights=[1, 0.5, 0.25],
    bbox_roi_extractor=dict(
        type=SingleRoIExtractor,
        roi_layer=dict(type=RoIAlign, output_size=7, sampling_ratio=0),
        out_channels=256,
        featmap_strides=[4, 8, 16, 32],
    ),
    bbox_head=[
        dict(
            type=Shared2FCBBoxHead,
            in_channels=256,
            fc_out_channels=1024,
            roi_feat_size=7,
            num_classes=None,
            bbox_coder=dict(
                type=DeltaXYWHBBoxCoder,
                target_means=[0.0, 0.0, 0.0, 0.0],
                target_stds=[spread, spread, 2 * spread, 2 * spread],
            ),
            reg_class_agnostic=True,
            loss_cls=dict(type=CrossEntropyLoss, use_sigmoid=False, loss_weight=1.0),
            loss_bbox=dict(type=SmoothL1Loss, beta=1.0, loss_weight=1.0),
        )
        for spread in (1 / 10, 1 / 20, 1 / 30)
    ],
)
rcnn_train_cfg = [
    dict(
        assigner=dict(
            type=MaxIoUAssigner,
            pos_iou_thr=overlap,
            neg_iou_thr=overlap,
            min_pos_iou=overlap,
            match_low_quality=False,
            ignore_iof_thr=-1,
        ),
        sampler=dict(
            type=RandomSampler,
            num=512,
            pos_fraction=0.25,
            neg_pos_ub=-1,
            add_gt_as_proposals=True,
        ),
        mask_size=28,
        pos_weight=-1,
        debug=False,
    )
    for overlap in (0.5, 0.6, 0.7)
]
