"""PixCon-Coord, ResNet-50, COCO, 800 epochs, four GPUs x 128 (supplement, Tables 1-3).

Expected downstream: 57.2 AP (VOC detection), 40.3 / 36.5 AP (COCO box / mask), 75.8 mIoU (Cityscapes), 72.3 mIoU (VOC).
Cost: 184,800 updates of 512 images.
Coord by RoIAlign on the common part; the authors published no code for it, see docs/pixcon.md.
    tools/dist_train.sh configs/pixcon/pixcon-coord_r50_coco.py 4
"""

from mmengine.config import read_base

with read_base():
    from .._base_.backbones.resnet50 import *
    from .._base_.datasets.views_coco import *
    from .._base_.default_runtime import *
    from .._base_.models.pixcon import *
    from .._base_.schedules.pixcon_800e import *

model.merge(
    dict(
        backbone=dict(backbone, out_indices=(3,), zero_init_residual=False),
        projector=dict(in_channels=backbone_channels[-1]),
        dense_projector=dict(in_channels=backbone_channels[-1]),
        match='roi_align',
    )
)
