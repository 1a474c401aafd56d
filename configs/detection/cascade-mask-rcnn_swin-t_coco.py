"""Cascade Mask R-CNN Swin-T-FPN on COCO 2017, 90k iterations, batch 16 (4 GPUs x 4).

SemCL (ICCV 2023), Table 4: 49.2 APbox, 43.0 APmask from Swin IN-22k, 49.0 and 43.3 from SemCL.
The paper's settings are in an appendix that is not public; these are the toolboxes' usual ones.
    tools/dist_train.sh configs/detection/cascade-mask-rcnn_swin-t_coco.py 4 --pretrained work_dirs/swin-t_coco_from_swin_tiny_in22k/iter_30000.pth
"""

from mmengine.config import read_base

with read_base():
    from .._base_.backbones.swin_tiny import *
    from .._base_.datasets.det_coco import *
    from .._base_.default_runtime import *
    from .._base_.models.cascade_roi_head import *
    from .._base_.models.mask_branch import *
    from .._base_.models.two_stage_fpn import *
    from .._base_.schedules.det_adamw import *

roi_head.merge(mask_branch)
roi_head.mask_head.num_classes = num_classes
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
paper_cell = dict(
    paper='SemCL',
    table='4',
    dataset='COCO2017',
    backbone='Swin-T',
    metric=['APbox', 'APmask'],
    variant=None,
)
