"""CACL (AAAI 2022), ResNet-18 of output stride 8 on Kinetics-400, batch 512 (16 GPUs x 32): global and pixel heads, positives are cells at the same position.

Expected under the linear protocol on Cityscapes: 33.1 mIoU
(Table 1b: "cross video frames", stride 8).
    NNODES=2 tools/dist_train.sh configs/cacl/r18_k400_position-s8.py 8
    tools/dist_train.sh configs/segmentation/linear_r18_cityscapes.py 4 --pretrained CKPT
"""

from mmengine.config import read_base

with read_base():
    from .._base_.backbones.resnet18_os8 import *
    from .._base_.datasets.frames_k400 import *
    from .._base_.default_runtime import *
    from .._base_.models.cacl import *
    from .._base_.schedules.cacl_200e import *

model.merge(
    dict(
        backbone=dict(backbone, out_indices=(3,)),
        head=dict(in_channels=backbone_channels[-1]),
        heads=('global', 'pixel'),
        match='position',
    )
)
sync_bn = None
