"""Local-to-global pretraining of a small ViT on COCO and VOC 2012, 64 x 64 views, 800 updates of 32 images: for a CPU.

Not in the paper; a pretraining of tools/experiments/dense_camvid.sh. MoCo v2's colours without blur (SimCLR's are twice
as strong), float32, lr 3e-4 and a temperature of 0.2: otherwise so short a training hardly leaves its start
(docs/local_global.md).
    tools/train.py configs/local_global/vit-narrow_coco-voc.py
"""

from mmengine.config import read_base

from semcl_mm.engine import OptimWrapper

with read_base():
    from .._base_.backbones.vit_narrow import *
    from .._base_.datasets.views_coco_voc import *
    from .._base_.default_runtime import *
    from .._base_.models.local_to_global import *
    from .._base_.schedules.local_to_global_300e import *

view = dict(
    scale=(0.2, 1.0), jitter=0.8, brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1, gray=0.2
)
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
        dataset=dict(views=[view, view], size=64, min_overlap=0.0),
    )
)
train_cfg.merge(dict(max_iters=800))
param_scheduler[0].merge(dict(end=40))
param_scheduler[1].merge(dict(begin=40))
optim_wrapper.pop('dtype')
optim_wrapper.merge(dict(type=OptimWrapper, optimizer=dict(lr=3e-4)))
default_hooks.merge(dict(logger=dict(interval=20), checkpoint=dict(interval=800)))
auto_scale_lr = dict(enable=False, base_batch_size=32)
