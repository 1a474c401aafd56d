"""UPerNet with a half-width ResNet-18 on the toy world (9 classes), 500 iterations of 8 crops.

The second step of ``make demo``.
    tools/train.py configs/segmentation/upernet_r18_toy.py --pretrained work_dirs/toy/iter_160.pth
"""

from mmengine.config import read_base

with read_base():
    from .._base_.backbones.resnet18_narrow import *
    from .._base_.datasets.seg_toy import *
    from .._base_.default_runtime import *
    from .._base_.models.upernet import *
    from .._base_.schedules.seg_adamw import *

model.merge(
    dict(
        data_preprocessor=dict(size=crop_size),
        backbone=backbone,
        decode_head=dict(in_channels=backbone_channels, num_classes=num_classes, channels=64),
        auxiliary_head=dict(in_channels=backbone_channels[2], num_classes=num_classes, channels=32),
    )
)
train_dataloader.merge(dict(batch_size=8))
train_cfg.merge(dict(max_iters=500, val_interval=500))
optim_wrapper.merge(dict(optimizer=dict(lr=4e-3)))
param_scheduler[0].merge(dict(end=20))
param_scheduler[1].merge(dict(begin=20))
default_hooks.merge(dict(logger=dict(interval=50), checkpoint=dict(interval=500)))
auto_scale_lr = dict(enable=False, base_batch_size=8)
