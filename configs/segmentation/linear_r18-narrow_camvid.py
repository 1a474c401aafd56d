"""Linear protocol for a CPU: a 1 x 1 convolution on a frozen half-width ResNet-18, CamVid, crops of 192 x 192, 300 iterations of 8.

Ours: a batch norm without parameters before the classifier makes one learning rate fit the features
of every pretraining. Its last three stages, at the strides of a usual pretraining.
The linear protocol of tools/experiments/dense_camvid.sh.
    tools/train.py configs/segmentation/linear_r18-narrow_camvid.py --pretrained CKPT
"""

from mmengine.config import read_base

with read_base():
    from .._base_.backbones.resnet18_narrow import *
    from .._base_.datasets.seg_camvid import *
    from .._base_.default_runtime import *
    from .._base_.models.linear_frozen import *
    from .._base_.models.segmentor import *
    from .._base_.schedules.seg_linear import *

model.merge(heads)
model.merge(
    dict(
        data_preprocessor=dict(size=(192, 192)),
        backbone=backbone,
        decode_head=dict(
            in_channels=backbone_channels[1:],
            in_index=[1, 2, 3],
            num_classes=num_classes,
            norm_cfg=dict(type='BN', affine=False),
        ),
    )
)
train_dataloader.merge(dict(batch_size=8, num_workers=1))
train_dataloader.dataset.pipeline[3].merge(dict(crop_size=(192, 192)))
val_dataloader.merge(dict(num_workers=1))
train_cfg.merge(dict(max_iters=300, val_interval=300))
optim_wrapper.merge(dict(optimizer=dict(lr=0.1)))
default_hooks.merge(dict(logger=dict(interval=50), checkpoint=dict(interval=300)))
auto_scale_lr = dict(enable=False, base_batch_size=8)
