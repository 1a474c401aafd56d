"""UPerNet with a half-width ResNet-18 and cross-image pixel contrast on the toy world, 500 iterations of 8 crops.

Cross-image pixel contrast (ICCV 2021), pixel and region memory, at toy size: 64-dimensional embeddings of all four
stages at stride 4 (as with HRNet), a warm-up of 50 iterations. Not a row of the paper. The baseline, otherwise equal, is
configs/segmentation/upernet_r18_toy.py.
    tools/train.py configs/pixel_contrast/upernet_r18_toy.py
"""

from mmengine.config import read_base

with read_base():
    from .._base_.backbones.resnet18_narrow import *
    from .._base_.datasets.seg_toy import *
    from .._base_.default_runtime import *
    from .._base_.models.pixel_contrast import *
    from .._base_.models.upernet import *
    from .._base_.schedules.seg_adamw import *
    from .._base_.tta import *

model.merge(
    dict(
        data_preprocessor=dict(size=crop_size),
        backbone=backbone,
        decode_head=dict(in_channels=backbone_channels, num_classes=num_classes, channels=64),
        auxiliary_head=dict(in_channels=backbone_channels[2], num_classes=num_classes, channels=32),
    )
)
model.merge(contrast)
model.contrast_head.merge(
    dict(
        in_channels=backbone_channels,
        in_index=[0, 1, 2, 3],
        channels=64,
        num_classes=num_classes,
        dim=64,
        memory=dict(num_images=300, pixels_per_class=3000),
        warmup_iters=50,
    )
)
train_dataloader.dataset.pipeline[-1].merge(dict(meta_keys=contrast_meta_keys))
tta_pipeline[1].transforms[2][0].merge(dict(num_classes=num_classes))
train_dataloader.merge(dict(batch_size=8))
train_cfg.merge(dict(max_iters=500, val_interval=500))
optim_wrapper.merge(dict(optimizer=dict(lr=4e-3)))
param_scheduler[0].merge(dict(end=20))
param_scheduler[1].merge(dict(begin=20))
default_hooks.merge(dict(logger=dict(interval=50), checkpoint=dict(interval=500)))
auto_scale_lr = dict(enable=False, base_batch_size=8)
