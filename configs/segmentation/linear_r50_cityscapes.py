"""Linear protocol: a 1 x 1 convolution on a frozen, dilated ResNet-50, Cityscapes, 300 epochs, batch 16 (4 GPUs x 4).

CACL (AAAI 2022), Table 2: 49.1 mIoU from CACL (IN+K400). Stated: SGD, lr 0.6, no weight decay, 300
epochs (55,800 iterations here); crops of 769, batch, momentum and poly decay are not stated.
    tools/dist_train.sh configs/segmentation/linear_r50_cityscapes.py 4 --pretrained CKPT
"""

from mmengine.config import read_base

with read_base():
    from .._base_.backbones.resnet50_os8 import *
    from .._base_.cacl_methods import *
    from .._base_.datasets.seg_cityscapes import *
    from .._base_.default_runtime import *
    from .._base_.models.linear_frozen import *
    from .._base_.models.segmentor import *
    from .._base_.schedules.seg_linear import *

model.merge(heads)
model.merge(
    dict(
        data_preprocessor=dict(size=(769, 769)),
        backbone=backbone,
        decode_head=dict(in_channels=backbone_channels[-1], num_classes=num_classes),
    )
)
train_dataloader.merge(dict(batch_size=4))
train_dataloader.dataset.pipeline[3].merge(dict(crop_size=(769, 769)))
auto_scale_lr = dict(enable=False, base_batch_size=16)
paper_cell = dict(
    paper='CACL',
    table='2',
    dataset='Cityscapes',
    model='R50 CACL',
    models={'r50_k400': 'R50 CACL'},
    start='ours',
    backbone='',
    metric='mIoU',
    variant='IN+K400',
    also=[*cacl_r50_methods, *cacl_r50_ablations],
)
