"""SemCL (ICCV 2023), Swin-B on SemCL-City, 20,280 pairs.

Downstream in the paper: 81.94 mIoU (Table 2) on Cityscapes.
Cost: 30k updates of 64 pairs, each 3 views x 2 roles of 224 x 224 through both encoders.
Starts from the official ImageNet-22k weights:
    tools/model_converters/to_mm.py swin_base_patch4_window7_224_22k.pth checkpoints/swin_base_in22k.pth
    tools/dist_train.sh configs/semcl/swin-b_cityscapes.py 4 --pretrained checkpoints/swin_base_in22k.pth
Without that option the weights are random, and the log and the record say so.
"""

from mmengine.config import read_base

with read_base():
    from .._base_.backbones.swin_base import *
    from .._base_.datasets.pairs_cityscapes import *
    from .._base_.default_runtime import *
    from .._base_.models.semcl_swin import *
    from .._base_.schedules.semcl_30k import *

expected_start = 'imagenet'
model.merge(
    dict(
        backbone=dict(backbone, out_indices=(3,)),
        projector=dict(in_channels=backbone_channels[-1]),
    )
)
