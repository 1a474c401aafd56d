"""Limited labels for a CPU: UPerNet with a half-width ResNet-18 on 30 of the 300 scenes of the toy world, 300 iterations of 16.

Ours. Other shares of the labels: --label-fraction 0.05; another subset of that size: --label-seed 1.
    tools/train.py configs/segmentation/limited-10_r18-narrow_toy.py --pretrained CKPT
"""

from mmengine.config import read_base

from semcl_mm.downstream import LabelSubset

with read_base():
    from .._base_.backbones.resnet18_narrow import *
    from .._base_.datasets.seg_toy import *
    from .._base_.default_runtime import *
    from .._base_.models.upernet import *
    from .._base_.schedules.seg_adamw import *

model.merge(
    dict(
        data_preprocessor=dict(size=(96, 96)),
        backbone=backbone,
        decode_head=dict(in_channels=backbone_channels, num_classes=num_classes, channels=64),
        auxiliary_head=dict(in_channels=backbone_channels[2], num_classes=num_classes, channels=32),
    )
)
train_dataloader.merge(dict(num_workers=1))
train_dataloader.dataset = dict(type=LabelSubset, dataset=train_dataloader.dataset, fraction=0.1)
val_dataloader.merge(dict(num_workers=1))
train_cfg.merge(dict(max_iters=300, val_interval=300))
optim_wrapper.merge(dict(optimizer=dict(lr=1e-3)))
param_scheduler[0].merge(dict(end=20))
param_scheduler[1].merge(dict(begin=20))
default_hooks.merge(dict(logger=dict(interval=50), checkpoint=dict(interval=300)))
auto_scale_lr = dict(enable=False, base_batch_size=16)
