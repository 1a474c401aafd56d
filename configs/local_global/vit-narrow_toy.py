"""Local-to-global pretraining of a small ViT on the toy world, 64 x 64 views, 1200 updates of 32 images: for a CPU.

Not in the paper; a pretraining of tools/experiments/dense_toy.sh. With the paper's temperature, 0.1, so few updates hardly
leave their start (docs/local_global.md), nor do they in bfloat16: here 0.2 and float32.
    tools/train.py configs/local_global/vit-narrow_toy.py
"""

from mmengine.config import read_base

from semcl_mm.engine import OptimWrapper

with read_base():
    from .._base_.backbones.vit_narrow import *
    from .._base_.datasets.views_toy import *
    from .._base_.default_runtime import *
    from .._base_.models.local_to_global import *
    from .._base_.schedules.local_to_global_300e import *

model.merge(
    dict(
        backbone=dict(backbone, img_size=64, out_type='raw'),
        projector=dict(in_channels=backbone_channels, hidden_channels=512, out_channels=128),
        loss=dict(temperature=0.2),
    )
)
train_dataloader.merge(
    dict(
        batch_size=32,
        num_workers=1,
    )
)
train_cfg.merge(dict(max_iters=1200))
param_scheduler[0].merge(dict(end=60))
param_scheduler[1].merge(dict(begin=60))
optim_wrapper.pop('dtype')
optim_wrapper.merge(dict(type=OptimWrapper, optimizer=dict(lr=3e-4)))
default_hooks.merge(dict(logger=dict(interval=20), checkpoint=dict(interval=1200)))
auto_scale_lr = dict(enable=False, base_batch_size=32)
