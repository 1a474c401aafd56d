"""MoCo v2+ in PixCon's pipeline, ResNet-50, COCO, 800 epochs, four GPUs x 128 (Tables 1-3).

Expected downstream: 54.6 AP (VOC detection), 39.8 / 35.9 AP (COCO box / mask),
75.6 mIoU (Cityscapes), 71.1 mIoU (VOC). Cost: 184,800 updates of 512 images.
    tools/dist_train.sh configs/pixcon/moco-v2-plus_r50_coco.py 4
"""

from mmengine.config import read_base

with read_base():
    from .._base_.backbones.resnet50 import *
    from .._base_.datasets.views_coco import *
    from .._base_.default_runtime import *
    from .._base_.models.moco_plus import *
    from .._base_.schedules.pixcon_800e import *

model.merge(
    dict(
        backbone=dict(backbone, out_indices=(3,), zero_init_residual=False),
        projector=dict(in_channels=backbone_channels[-1]),
    )
)
