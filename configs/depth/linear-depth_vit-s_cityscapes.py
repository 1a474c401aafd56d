"""Linear depth head with ViT-S/16 on Cityscapes, 38,400 iterations, batch 16 (4 GPUs x 4).

Of no paper: the local-to-global heads on another data set.
    tools/dist_train.sh configs/depth/linear-depth_vit-s_cityscapes.py 4 --pretrained CKPT
"""

from mmengine.config import read_base

with read_base():
    from .._base_.backbones.vit_small import *
    from .._base_.datasets.depth_cityscapes import *
    from .._base_.default_runtime import *
    from .._base_.models.depth_linear_vit import *
    from .._base_.schedules.depth_adamw import *

model.merge(
    dict(
        data_preprocessor=dict(size=crop_size),
        backbone=dict(backbone, out_type='featmap', out_indices=[11]),
        decode_head=dict(in_channels=backbone_channels, max_depth=max_depth),
    )
)
