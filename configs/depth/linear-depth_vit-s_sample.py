"""Linear depth head with ViT-S/16 on the depth sample, 2,000 iterations of 8.

For a GPU; a CPU wants configs/depth/upernet-depth_r18-narrow_sample.py.
    tools/train.py configs/depth/linear-depth_vit-s_sample.py --pretrained CKPT
"""

from mmengine.config import read_base

with read_base():
    from .._base_.backbones.vit_small import *
    from .._base_.datasets.depth_sample import *
    from .._base_.default_runtime import *
    from .._base_.models.depth_linear_vit import *
    from .._base_.schedules.depth_adamw import *

model.merge(
    dict(
        data_preprocessor=dict(size=crop_size),
        backbone=dict(backbone, out_type='featmap', out_indices=[11]),
        decode_head=dict(in_channels=backbone_channels, max_depth=max_depth),
    )
)
train_cfg.merge(dict(max_iters=2000, val_interval=500))
optim_wrapper.merge(dict(optimizer=dict(lr=1e-4)))
param_scheduler[0].merge(dict(end=100))
param_scheduler[1].merge(dict(begin=100))
default_hooks.merge(dict(logger=dict(interval=50), checkpoint=dict(interval=2000)))
