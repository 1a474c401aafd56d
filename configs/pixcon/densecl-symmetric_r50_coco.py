"""5. DenseCL + symmetric loss (Table 4 of the supplement, step by step), ResNet-50, COCO, 800 epochs.

Expected downstream: 40.3 / 36.4 AP (COCO box / mask), 71.5 mIoU (VOC).
The supplement states no learning rate for each row (the authors' DenseCL config has 0.3): 0.4
as in the last. Cost: 184,800 updates of 512 images.
    tools/dist_train.sh configs/pixcon/densecl-symmetric_r50_coco.py 4
"""

from mmengine.config import read_base

from semcl_mm.datasets import MOCO_VIEWS

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
train_dataloader.merge(dict(dataset=dict(views=MOCO_VIEWS, min_overlap=0.0)))
