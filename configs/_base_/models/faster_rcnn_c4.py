"""Faster R-CNN on ResNet C4, Detectron2's settings with a norm behind the last stage (MoCo's).

Not as there: an anchor that the RPN takes because it is the best of some box is matched with that
box; in Detectron2 with the box that it overlaps most.

A leaf fills in ``backbone`` (its ``type`` becomes ``C4ResNet``) and ``num_classes``.
"""

from mmcv.ops import RoIAlign
from mmdet.engine.hooks import DetVisualizationHook
from mmdet.models import (
    BBoxHead,
    CrossEntropyLoss,
    DetDataPreprocessor,
    L1Loss,
    RPNHead,
    SingleRoIExtractor,
    StandardRoIHead,
)
from mmdet.models.task_modules import (
    AnchorGenerator,
    DeltaXYWHBBoxCoder,
    MaxIoUAssigner,
    RandomSampler,
)
from mmdet.visualization import DetLocalVisualizer

from semcl_mm.downstream.detection import C4FasterRCNN, C4ResNet, LastStageHead

c4_backbone = C4ResNet
model = dict(
    type=C4FasterRCNN,
    data_preprocessor=dict(
        type=DetDataPreprocessor,
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_size_divisor=1,  # as Detectron2 without a pyramid
    ),
    backbone=None,
    rpn_head=dict(
        type=RPNHead,
        in_channels=1024,
        feat_channels=1024,
        anchor_generator=dict(
            type=AnchorGenerator,
            scales=[2, 4, 8, 16, 32],
            ratios=[0.5, 1.0, 2.0],
            strides=[16],
        ),
        bbox_coder=dict(
            type=DeltaXYWHBBoxCoder,
            target_means=[0.0, 0.0, 0.0, 0.0],
            target_stds=[1.0, 1.0, 1.0, 1.0],
        ),
        loss_cls=dict(type=CrossEntropyLoss, use_sigmoid=True, loss_weight=1.0),
        loss_bbox=dict(type=L1Loss, loss_weight=1.0),
    ),
    roi_head=dict(
        type=StandardRoIHead,
        shared_head=dict(
            type=LastStageHead, channels=2048, norm_cfg=dict(type='BN', requires_grad=True)
        ),
        bbox_roi_extractor=dict(
            type=SingleRoIExtractor,
            roi_layer=dict(type=RoIAlign, output_size=14, sampling_ratio=0),
            out_channels=1024,
            featmap_strides=[16],
        ),
        bbox_head=dict(
            type=BBoxHead,
            with_avg_pool=True,
            roi_feat_size=7,
            in_channels=2048,
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
    ),
    train_cfg=dict(
        rpn=dict(
            assigner=dict(
                type=MaxIoUAssigner,
                pos_iou_thr=0.7,
                neg_iou_thr=0.3,
                min_pos_iou=1e-6,  # Detectron2: the best anchor of a box, however small its IoU
                match_low_quality=True,
                ignore_iof_thr=-1,
            ),
            sampler=dict(
                type=RandomSampler,
                num=256,
                pos_fraction=0.5,
                neg_pos_ub=-1,
                add_gt_as_proposals=False,
            ),
            allowed_border=-1,
            pos_weight=-1,
            debug=False,
        ),
        rpn_proposal=dict(
            nms_pre=12000, max_per_img=2000, nms=dict(iou_threshold=0.7), min_bbox_size=0
        ),
        rcnn=dict(
            assigner=dict(
                type=MaxIoUAssigner,
                pos_iou_thr=0.5,
                neg_iou_thr=0.5,
                min_pos_iou=0.5,
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
            pos_weight=-1,
            debug=False,
        ),
    ),
    test_cfg=dict(
        rpn=dict(nms_pre=6000, max_per_img=1000, nms=dict(iou_threshold=0.7), min_bbox_size=0),
        rcnn=dict(score_thr=0.05, nms=dict(iou_threshold=0.5), max_per_img=100),
    ),
)

# what tools/test.py --show-dir paints with
prediction_painter = dict(
    hook=dict(type=DetVisualizationHook, draw=True, interval=1),
    visualizer=dict(type=DetLocalVisualizer),
)
