"""2. DenseCL + SyncBN (Table 4 of the supplement, step by step), ResNet-50, COCO, 800 epochs.

Expected downstream: 39.6 / 35.6 AP (COCO box / mask), 71.7 mIoU (VOC).
The supplement states no learning rate for each row (the authors' DenseCL config has 0.3): 0.4
as in the last. Cost: 184,800 updates of 512 images.
    tools/dist_train.sh configs/pixcon/densecl-syncbn_r50_coco.py 4
"""

from mmengine.config import read_base

from semcl_mm.datasets import MOCO_VIEWS

with read_base():
    from .._base_.backbones.resnet50 import *
    from .._base_.datasets.views_coco import *
    from .._base_.default_runtime import *
    from .._base_.models.densecl import *
    from .._base_.schedules.pixcon_800e import *

model.merge(
    dict(
        backbone=dict(backbone, out_indices=(3,), zero_init_residual=False),
        projector=dict(in_channels=backbone_channels[-1], hidden_norm=True),
        dense_projector=dict(in_channels=backbone_channels[-1], norm_cfg=dict(type='BN')),
        shuffle_bn=False,
    )
)
train_dataloader.merge(dict(dataset=dict(views=MOCO_VIEWS, min_overlap=0.0)))
custom_hooks[0].merge(dict(momentum=0.999, schedule='constant'))
