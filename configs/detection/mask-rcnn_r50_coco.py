"""Mask R-CNN R50-FPN on COCO 2017, 90k iterations, batch 16 (4 GPUs x 4).

PixCon (WACV 2024), supplement Table 3: 40.53 ± 0.06 APbb and 36.64 ± 0.06 APmk from PixCon-Sim, 39.78
and 35.92 from MoCo-v2+, each pretrained on COCO for 800 epochs; 3 seeds. Detectron2's settings: SyncBN
in backbone, pyramid and heads, a box head of four convolutions and one layer, nothing frozen, PreciseBN.
    tools/dist_train.sh configs/detection/mask-rcnn_r50_coco.py 4 --pretrained work_dirs/pixcon-sr_r50_coco/iter_184800.pth
"""

from mmdet.models import Shared4Conv1FCBBoxHead
from mmengine.config import read_base

from semcl_mm.engine import PreciseBNHook

with read_base():
    from .._base_.backbones.resnet50 import *
    from .._base_.datasets.det_coco import *
    from .._base_.default_runtime import *
    from .._base_.models.mask_branch import *
    from .._base_.models.mask_rcnn_roi_head import *
    from .._base_.models.two_stage_fpn import *
    from .._base_.pixcon_methods import *
    from .._base_.schedules.det_sgd import *

norm_cfg = dict(type='BN', requires_grad=True)
roi_head.merge(mask_branch)
roi_head.bbox_head.merge(
    dict(type=Shared4Conv1FCBBoxHead, norm_cfg=norm_cfg, num_classes=num_classes)
)
roi_head.mask_head.merge(dict(norm_cfg=norm_cfg, num_classes=num_classes))
model.merge(
    dict(
        type=detector,
        backbone=backbone,
        neck=dict(in_channels=backbone_channels, norm_cfg=norm_cfg),
        roi_head=roi_head,
        train_cfg=dict(rcnn=rcnn_train_cfg),
    )
)
custom_hooks = [dict(type=PreciseBNHook)]
val_evaluator.iou_types = dict(bbox='bb', segm='mk')
test_evaluator = val_evaluator
paper_cell = dict(
    paper='PixCon-supp',
    table='3',
    dataset='COCO',
    backbone='',
    metric=['APbb', 'AP50bb', 'AP75bb', 'APmk', 'AP50mk', 'AP75mk'],
    variant='COCO-800ep',
    models=pixcon_methods,
    also=[*pixcon_steps, *pixcon_sets],
)
