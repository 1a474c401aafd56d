"""UPerNet R18 on CamVid (11 classes, 480 x 360), 10k iterations, batch 16 (4 GPUs x 4).

tools/dist_train.sh configs/segmentation/upernet_r18_camvid.py 4 --pretrained CKPT
"""

from mmengine.config import read_base

with read_base():
    from .._base_.backbones.resnet18 import *
    from .._base_.datasets.seg_camvid import *
    from .._base_.default_runtime import *
    from .._base_.models.upernet import *
    from .._base_.schedules.seg_sgd import *

model.merge(
    dict(
        data_preprocessor=dict(size=crop_size),
        backbone=backbone,
        decode_head=dict(in_channels=backbone_channels, num_classes=num_classes),
        auxiliary_head=dict(in_channels=backbone_channels[2], num_classes=num_classes),
    )
)
train_cfg.merge(dict(max_iters=10000, val_interval=1000))
