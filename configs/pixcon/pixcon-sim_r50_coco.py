"""PixCon-Sim, ResNet-50, COCO, 800 epochs, four GPUs x 128 (supplement, Tables 1-3).

Expected downstream: 57.3 AP (VOC detection), 40.5 / 36.6 AP (COCO box / mask), 76.1 mIoU (Cityscapes), 72.6 mIoU (VOC).
Cost: 184,800 updates of 512 images.
    tools/dist_train.sh configs/pixcon/pixcon-sim_r50_coco.py 4
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
    )
)
