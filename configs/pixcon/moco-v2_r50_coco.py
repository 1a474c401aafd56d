"""MoCo v2, ResNet-50, COCO, 800 epochs, four GPUs x 128: the image half of DenseCL.

Not a row of the paper. Cost: 184,800 updates of 512 images.
    tools/dist_train.sh configs/pixcon/moco-v2_r50_coco.py 4
"""

from mmengine.config import read_base

from semcl_mm.datasets import MOCO_VIEWS

with read_base():
    from .._base_.backbones.resnet50 import *
    from .._base_.datasets.views_coco import *
    from .._base_.default_runtime import *
    from .._base_.models.moco import *
    from .._base_.schedules.pixcon_800e import *

model.merge(
    dict(
        backbone=dict(backbone, out_indices=(3,), zero_init_residual=False),
        projector=dict(in_channels=backbone_channels[-1]),
    )
)
train_dataloader.merge(dict(dataset=dict(views=MOCO_VIEWS, min_overlap=0.0)))
custom_hooks[0].merge(dict(momentum=0.999, schedule='constant'))
sync_bn = None
