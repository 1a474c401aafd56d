"""A linear head on a small ViT, toy world (9 classes), 300 iterations of 16 crops: for a CPU.

tools/train.py configs/segmentation/linear_vit-narrow_toy.py --pretrained CKPT
"""

from mmengine.config import read_base

with read_base():
    from .._base_.backbones.vit_narrow import *
    from .._base_.datasets.seg_toy import *
    from .._base_.default_runtime import *
    from .._base_.models.linear_vit import *
    from .._base_.models.segmentor import *
    from .._base_.schedules.seg_adamw_layer_decay import *

model.merge(heads)
model.merge(
    dict(
        data_preprocessor=dict(size=(96, 96)),
        backbone=dict(backbone, img_size=96, out_type='featmap', out_indices=[3]),
        decode_head=dict(in_channels=backbone_channels, num_classes=num_classes),
        test_cfg=dict(crop_size=(96, 96), stride=(64, 64)),
    )
)
train_cfg.merge(dict(max_iters=300, val_interval=300))
optim_wrapper.merge(dict(optimizer=dict(lr=1e-3)))
param_scheduler[0].merge(dict(end=20))
param_scheduler[1].merge(dict(begin=20))
default_hooks.merge(dict(logger=dict(interval=50), checkpoint=dict(interval=300)))
auto_scale_lr = dict(enable=False, base_batch_size=16)
