"""Adaptive-bins depth with a half-width ResNet-18 on the toy world, 600 iterations of 8.

tools/train.py configs/depth/bins-depth_r18-narrow_toy.py --pretrained CKPT
"""

from mmengine.config import read_base

with read_base():
    from .._base_.backbones.resnet18_narrow import *
    from .._base_.datasets.depth_toy import *
    from .._base_.default_runtime import *
    from .._base_.models.depth_bins import *
    from .._base_.schedules.depth_adamw import *

model.merge(
    dict(
        data_preprocessor=dict(size=crop_size),
        backbone=backbone,
        decode_head=dict(
            in_channels=backbone_channels,
            max_depth=max_depth,
            channels=64,
            embed_dims=64,
            num_bins=32,
            num_layers=3,
            num_heads=4,
        ),
    )
)
train_dataloader.merge(dict(num_workers=1))
val_dataloader.merge(dict(num_workers=1))
test_dataloader.merge(dict(num_workers=1))
train_cfg.merge(dict(max_iters=600, val_interval=600))
optim_wrapper.merge(dict(optimizer=dict(lr=1e-3)))
param_scheduler[0].merge(dict(end=20))
param_scheduler[1].merge(dict(begin=20))
default_hooks.merge(dict(logger=dict(interval=50), checkpoint=dict(interval=600)))
