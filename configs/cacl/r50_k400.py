"""CACL (AAAI 2022), ResNet-50 of output stride 8 on Kinetics-400, batch 512 (16 GPUs x 32): all heads, pixel shuffle, soft cycle.

Expected under the linear protocol on Cityscapes: 49.1 mIoU
(Table 1a, 1c and 2; Table 3: 52.6 on VOC).
The backbone starts from MoCo v2 on ImageNet (800 epochs):
    tools/model_converters/to_mm.py moco_v2_800ep_pretrain.pth.tar checkpoints/mocov2_r50.pth
    NNODES=2 tools/dist_train.sh configs/cacl/r50_k400.py 8 --pretrained checkpoints/mocov2_r50.pth
    tools/dist_train.sh configs/segmentation/linear_r50_cityscapes.py 4 --pretrained CKPT
"""

from mmengine.config import read_base

with read_base():
    from .._base_.backbones.resnet50_os8 import *
    from .._base_.datasets.frames_k400 import *
    from .._base_.default_runtime import *
    from .._base_.models.cacl import *
    from .._base_.schedules.cacl_200e import *

expected_start = 'imagenet'
model.merge(
    dict(
        backbone=dict(backbone, out_indices=(3,)),
        head=dict(in_channels=backbone_channels[-1]),
    )
)
sync_bn = None
