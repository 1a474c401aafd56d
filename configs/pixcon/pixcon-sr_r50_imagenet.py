"""PixCon-SR, ResNet-50, ImageNet-1k, 200 epochs, four GPUs x 128.

Not in the paper, which is about images of scenes. Cost: 500,400 updates of 512 images.
    tools/dist_train.sh configs/pixcon/pixcon-sr_r50_imagenet.py 4
"""

from mmengine.config import read_base

with read_base():
    from .._base_.backbones.resnet50 import *
    from .._base_.datasets.views_imagenet import *
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
train_cfg.merge(dict(max_epochs=200))
param_scheduler[0].merge(dict(end=4 * 2502 + 1))
