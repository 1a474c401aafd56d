"""UPerNet for depth with Swin-T on Cityscapes, 38,400 iterations, batch 16 (4 GPUs x 4).

Of no paper: the plain counterpart of the adaptive-bins configs.
    tools/dist_train.sh configs/depth/upernet-depth_swin-t_cityscapes.py 4 --pretrained CKPT
"""

from mmengine.config import read_base

with read_base():
    from .._base_.backbones.swin_tiny import *
    from .._base_.datasets.depth_cityscapes import *
    from .._base_.default_runtime import *
    from .._base_.models.depth_upernet import *
    from .._base_.schedules.depth_adamw import *

model.merge(
    dict(
        data_preprocessor=dict(size=crop_size),
        backbone=backbone,
        decode_head=dict(in_channels=backbone_channels, max_depth=max_depth),
    )
)
