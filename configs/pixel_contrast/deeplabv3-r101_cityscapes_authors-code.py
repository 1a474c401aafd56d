"""DeepLabV3 with a dilated ResNet-101 on Cityscapes as in the authors' code, with contrast, 40k iterations, batch 8.

Cross-image pixel contrast (ICCV 2021), README of the code: 77.67 mIoU on val, one scale (its script).
The settings of the authors' code, not of the paper: no memory, half hard and half easy anchors, warm-up,
norm in the projection, weighted cross entropy, align_corners; --tta takes scales from 0.5 on.
    tools/dist_train.sh configs/pixel_contrast/deeplabv3-r101_cityscapes_authors-code.py 4 --pretrained CKPT
"""

from mmengine.config import read_base

with read_base():
    from .._base_.backbones.resnet101_d8 import *
    from .._base_.datasets.seg_cityscapes import *
    from .._base_.default_runtime import *
    from .._base_.experiments.authors_code import *
    from .._base_.models.deeplabv3 import *
    from .._base_.models.pixel_contrast import *
    from .._base_.models.segmentor import *
    from .._base_.schedules.seg_sgd_poly import *
    from .._base_.tta import *

model.merge(dict(data_preprocessor=dict(size=crop_size), backbone=backbone))
model.merge(heads)
model.merge(contrast)
model.decode_head.merge(dict(in_channels=backbone_channels[3], num_classes=num_classes))
model.auxiliary_head.merge(dict(in_channels=backbone_channels[2], num_classes=num_classes))
model.backbone.merge(deep_stem)
model.decode_head.merge(authors_head)
model.auxiliary_head.merge(authors_head)
model.contrast_head.merge(dict(in_channels=backbone_channels[3], num_classes=num_classes))
model.contrast_head.pop('memory')
model.contrast_head.merge(authors_contrast)
train_dataloader.dataset.pipeline[3].merge(dict(cat_max_ratio=1.0))
train_dataloader.dataset.pipeline[5].merge(authors_jitter)
tta_pipeline[1].transforms[2][0].merge(dict(num_classes=num_classes))
tta_pipeline[1].transforms[0].insert(0, dict(type=Resize, scale_factor=0.5, keep_ratio=True))
train_cfg.merge(dict(max_iters=40000, val_interval=4000))
paper_cell = dict(
    paper='PixelContrast', table='README', dataset='Cityscapes', split='val',
    model='DeepLabV3', backbone='ResNet-101', metric='mIoU', start='imagenet',
    variant='contrast no memory (40K it)',
)  # fmt: skip
