"""PixCon-SR with the mask that commutes with flips, COCO, 800 epochs.

Not a row of the paper: the authors' mask rounds both sides of a box towards the same corner. Cost: 184,800 updates of 512 images.
    tools/dist_train.sh configs/pixcon/pixcon-sr-center_r50_coco.py 4
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
        reweight=True,
        mask='center',
    )
)
