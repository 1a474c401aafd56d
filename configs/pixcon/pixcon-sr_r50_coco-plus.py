"""PixCon-SR, ResNet-50, COCO+ (train2017 and unlabeled2017), 800 epochs, four GPUs x 128 (Table 7).

Expected downstream: 58.5 AP (VOC detection), 41.2 / 37.1 AP (COCO box / mask), 77.0 mIoU (Cityscapes),
73.9 mIoU (VOC), 38.8 mIoU (ADE20K).
Cost: 377,600 updates of 512 images.
    tools/dist_train.sh configs/pixcon/pixcon-sr_r50_coco-plus.py 4
"""

from mmengine.config import read_base

with read_base():
    from .._base_.backbones.resnet50 import *
    from .._base_.datasets.views_coco_plus import *
    from .._base_.default_runtime import *
    from .._base_.models.pixcon import *
    from .._base_.schedules.pixcon_800e import *

model.merge(
    dict(
        backbone=dict(backbone, out_indices=(3,), zero_init_residual=False),
        projector=dict(in_channels=backbone_channels[-1]),
        dense_projector=dict(in_channels=backbone_channels[-1]),
        reweight=True,
    )
)
param_scheduler[0].merge(dict(end=4 * 472 + 1))
