"""UPerNet on a small ViT, CamVid, crops of 192 x 192, 400 iterations of 8: for a CPU.

tools/train.py configs/segmentation/upernet_vit-narrow_camvid.py --pretrained CKPT
"""

from mmengine.config import read_base

with read_base():
    from .._base_.backbones.vit_narrow import *
    from .._base_.datasets.seg_camvid import *
    from .._base_.default_runtime import *
    from .._base_.models.upernet_vit import *
    from .._base_.models.segmentor import *
    from .._base_.schedules.seg_adamw_layer_decay import *

model.merge(heads)
model.merge(
    dict(
        data_preprocessor=dict(size=(192, 192)),
        backbone=dict(backbone, img_size=192, out_type='featmap', out_indices=[0, 1, 2, 3]),
        neck=dict(embed_dim=backbone_channels),
        decode_head=dict(in_channels=[backbone_channels] * 4, num_classes=num_classes, channels=64),
        auxiliary_head=dict(in_channels=backbone_channels, num_classes=num_classes, channels=32),
        test_cfg=dict(crop_size=(192, 192), stride=(128, 128)),
    )
)
train_dataloader.merge(dict(batch_size=8, num_workers=1))
train_dataloader.dataset.pipeline[3].merge(dict(crop_size=(192, 192)))
val_dataloader.merge(dict(num_workers=1))
train_cfg.merge(dict(max_iters=400, val_interval=400))
optim_wrapper.merge(dict(optimizer=dict(lr=1e-3)))
param_scheduler[0].merge(dict(end=20))
param_scheduler[1].merge(dict(begin=20))
default_hooks.merge(dict(logger=dict(interval=50), checkpoint=dict(interval=400)))
auto_scale_lr = dict(enable=False, base_batch_size=8)
