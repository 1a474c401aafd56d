"""UPerNet with a half-width ResNet-18 on CamVid without contrast: the baseline of its neighbours; for a CPU.

An arm of tools/experiments/pixel_contrast_camvid.sh, not a row of the paper.
    tools/train.py configs/pixel_contrast/upernet_r18-narrow_camvid_no-contrast.py --pretrained CKPT
"""

from mmengine.config import read_base

with read_base():
    from .._base_.backbones.resnet18_narrow import *
    from .._base_.datasets.seg_camvid import *
    from .._base_.default_runtime import *
    from .._base_.experiments.contrast_camvid import *
    from .._base_.models.upernet import *
    from .._base_.schedules.seg_adamw import *

model.merge(dict(backbone=backbone))
model.merge(narrow)
train_dataloader.dataset.pipeline[3].merge(small_crop)
train_dataloader.merge(train_batches)
val_dataloader.merge(val_batches)
train_cfg.merge(short)
optim_wrapper.optimizer.merge(small_optimizer)
param_scheduler[0].merge(dict(end=20))
param_scheduler[1].merge(dict(begin=20))
default_hooks.merge(quick_hooks)
