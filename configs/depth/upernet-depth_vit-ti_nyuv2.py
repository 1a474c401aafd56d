"""UPerNet for depth with ViT-Ti/16 on NYUv2, 148,700 iterations, batch 16 (4 GPUs x 4).

Local-to-global ViT (arXiv 2205.15173), Table 2: AbsRel .138, RMSE .593, d1 .832. Unlike there the evaluated region is Eigen's:
the paper does not name its own.
    tools/dist_train.sh configs/depth/upernet-depth_vit-ti_nyuv2.py 4 --pretrained work_dirs/vit-ti_imagenet/iter_187500.pth
"""

from mmengine.config import read_base

with read_base():
    from .._base_.backbones.vit_tiny import *
    from .._base_.datasets.depth_nyuv2 import *
    from .._base_.default_runtime import *
    from .._base_.models.depth_upernet_vit import *
    from .._base_.schedules.depth_adam_50e import *

model.merge(
    dict(
        data_preprocessor=dict(size=crop_size),
        backbone=dict(backbone, out_type='featmap', out_indices=[3, 5, 7, 11]),
        neck=dict(embed_dim=backbone_channels),
        decode_head=dict(in_channels=[backbone_channels] * 4, max_depth=max_depth),
    )
)
paper_cell = dict(
    paper='L2G-ViT',
    table='2',
    dataset='NYUv2',
    model='Ours',
    pretraining='LocalToGlobal',
    backbone='',
    metric=['AbsRel', 'RMSE', 'd1'],
    variant='ViT-Ti/16 UPerNet',
)
