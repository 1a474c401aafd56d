"""UPerNet for depth with ViT-S/16 on Cityscapes, 38,400 iterations, batch 16 (4 GPUs x 4).

Of no paper: the local-to-global heads on another data set.
    tools/dist_train.sh configs/depth/upernet-depth_vit-s_cityscapes.py 4 --pretrained CKPT
"""

from mmengine.config import read_base

with read_base():
    from .._base_.backbones.vit_small import *
    from .._base_.datasets.depth_cityscapes import *
    from .._base_.default_runtime import *
    from .._base_.models.depth_upernet_vit import *
    from .._base_.schedules.depth_adamw import *

model.merge(
    dict(
        data_preprocessor=dict(size=crop_size),
        backbone=dict(backbone, out_type='featmap', out_indices=[3, 5, 7, 11]),
        neck=dict(embed_dim=backbone_channels),
        decode_head=dict(in_channels=[backbone_channels] * 4, max_depth=max_depth),
    )
)
