"""SemCL (ICCV 2023), R101 on SemCL-ADE, 270,218 pairs.

Downstream in the paper: 44.66 mIoU (Table 2) on ADE20K.
Cost: 30k updates of 64 pairs, each 3 views x 2 roles of 224 x 224 through both encoders.
Starts from timm's ImageNet weights (resnet101.a1h_in1k):
    tools/model_converters/to_mm.py resnet101_a1h.safetensors checkpoints/resnet101_a1h.pth
    tools/dist_train.sh configs/semcl/r101_ade20k.py 4 --pretrained checkpoints/resnet101_a1h.pth
Without that option the weights are random, and the log and the record say so.
"""

from mmengine.config import read_base

with read_base():
    from .._base_.backbones.resnet101 import *
    from .._base_.datasets.pairs_ade20k import *
    from .._base_.default_runtime import *
    from .._base_.models.semcl_resnet import *
    from .._base_.schedules.semcl_30k import *

expected_start = 'imagenet'
model.merge(
    dict(
        backbone=dict(backbone, out_indices=(3,)),
        projector=dict(in_channels=backbone_channels[-1]),
    )
)
