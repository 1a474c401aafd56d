"""Cascade Mask R-CNN Swin-T-FPN on Cityscapes, 24k iterations, batch 8 (4 GPUs x 2).

SemCL (ICCV 2023), Table 4: 45.9 APbox, 39.8 APmask from Swin IN-22k, 46.0 and 40.2 from SemCL.
The paper's settings are in an appendix that is not public; these are the toolboxes' usual ones.
    tools/dist_train.sh configs/detection/cascade-mask-rcnn_swin-t_cityscapes.py 4 --pretrained work_dirs/swin-t_cityscapes_from_swin_tiny_in22k/iter_30000.pth
"""

from mmengine.config import read_base

with read_base():
    from .._base_.backbones.swin_tiny import *
    from .._base_.datasets.det_cityscapes import *
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
optim_wrapper.optimizer.lr = 5e-5
train_cfg.merge(dict(max_iters=24000, val_interval=4000))
param_scheduler[1].milestones = [18000]
paper_cell = dict(
    paper='SemCL',
    table='4',
    dataset='Cityscapes',
    backbone='Swin-T',
    metric=['APbox', 'APmask'],
    variant=None,
)
