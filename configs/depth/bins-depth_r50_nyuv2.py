"""Adaptive-bins depth with R50 on NYUv2, 38,400 iterations, batch 16 (4 GPUs x 4).

SemCL (ICCV 2023), Table 6: AbsRel 0.117, RMSE 0.400 from SemCL, in a frame that the text compares with BinsFormer. Its
settings are not public and this head is a small one of that kind: a number of this config is no reproduction.
    tools/dist_train.sh configs/depth/bins-depth_r50_nyuv2.py 4 --pretrained CKPT
"""

from mmengine.config import read_base

with read_base():
    from .._base_.backbones.resnet50 import *
    from .._base_.datasets.depth_nyuv2 import *
    from .._base_.default_runtime import *
    from .._base_.models.depth_bins import *
    from .._base_.schedules.depth_adamw import *

model.merge(
    dict(
        data_preprocessor=dict(size=crop_size),
        backbone=backbone,
        decode_head=dict(in_channels=backbone_channels, max_depth=max_depth),
    )
)
paper_cell = dict(
    paper='SemCL',
    table='6',
    dataset='NYUv2',
    backbone='R50',
    metric=['AbsRel', 'RMSE'],
    variant=None,
    pairs_of='IM',
)
