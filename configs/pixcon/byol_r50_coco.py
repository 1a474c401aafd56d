"""BYOL in PixCon's pipeline, ResNet-50, COCO, 800 epochs, four GPUs x 128 (Tables 1-3).

Expected downstream: 55.7 AP (VOC detection), 39.5 / 35.6 AP (COCO box / mask),
75.3 mIoU (Cityscapes), 70.2 mIoU (VOC). Heads, rate and momentum are those of the authors' repository
(4096 -> 256, 0.4, from 0.99); theirs trains in fp32. Cost: 184,800 updates of 512 images.
    tools/dist_train.sh configs/pixcon/byol_r50_coco.py 4
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
        projector=dict(in_channels=backbone_channels[-1], hidden_channels=4096, out_channels=256),
        predictor=dict(in_channels=256, hidden_channels=4096, out_channels=256),
        image_loss='cosine',
    )
)
