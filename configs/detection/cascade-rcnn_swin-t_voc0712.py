"""Cascade R-CNN Swin-T-FPN on VOC 07+12 -> VOC07 test, 24k iterations, batch 16 (4 GPUs x 4).

SemCL (ICCV 2023), Table 4: 86.58 AP50 from Swin IN-22k, 86.53 from SemCL.
The cascade has no mask head: VOC 07+12 have boxes alone. The paper's settings are in an
appendix that is not public; the schedule is PixCon's.
    tools/dist_train.sh configs/detection/cascade-rcnn_swin-t_voc0712.py 4 --pretrained work_dirs/swin-t_voc_from_swin_tiny_in22k/iter_30000.pth
"""

from mmengine.config import read_base

with read_base():
    from .._base_.backbones.swin_tiny import *
    from .._base_.datasets.det_voc0712 import *
    from .._base_.default_runtime import *
    from .._base_.models.cascade_roi_head import *
    from .._base_.models.two_stage_fpn import *
    from .._base_.schedules.det_adamw import *

roi_head.bbox_head = [dict(head, num_classes=num_classes) for head in roi_head.bbox_head]
model.merge(
    dict(
        type=detector,
        backbone=backbone,
        neck=dict(in_channels=backbone_channels),
        roi_head=roi_head,
        train_cfg=dict(rcnn=rcnn_train_cfg),
    )
)
train_cfg.merge(dict(max_iters=24000, val_interval=4000))
param_scheduler[0].end = 100
param_scheduler[1].milestones = [18000, 22000]
paper_cell = dict(
    paper='SemCL',
    table='4',
    dataset='VOC2007',
    backbone='Swin-T',
    metric='AP50',
    variant=None,
    pairs_of='VOC2012',
)
