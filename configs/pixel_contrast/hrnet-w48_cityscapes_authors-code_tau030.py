"""HRNetV2-W48 on Cityscapes as in the authors' code, temperature 0.30, 40k iterations, batch 8.

Cross-image pixel contrast (ICCV 2021), README of the code: 79.27 mIoU on val, one scale (its script).
The settings of the authors' code, not of the paper: no memory, half hard and half easy anchors, warm-up,
norm in the projection, weighted cross entropy, align_corners; --tta takes scales from 0.5 on.
    tools/dist_train.sh configs/pixel_contrast/hrnet-w48_cityscapes_authors-code_tau030.py 4 --pretrained CKPT
"""

from mmengine.config import read_base

with read_base():
    from .._base_.backbones.hrnet_w48 import *
    from .._base_.datasets.seg_cityscapes import *
    from .._base_.default_runtime import *
    from .._base_.experiments.authors_code import *
    from .._base_.models.hrnet_fcn import *
    from .._base_.models.pixel_contrast import *
    from .._base_.models.segmentor import *
    from .._base_.schedules.seg_sgd_poly import *
    from .._base_.tta import *

model.merge(dict(data_preprocessor=dict(size=crop_size), backbone=backbone))
model.merge(heads)
model.merge(contrast)
model.decode_head.merge(dict(in_channels=backbone_channels, num_classes=num_classes))
model.decode_head.merge(authors_head)
model.contrast_head.merge(
    dict(in_channels=backbone_channels, in_index=[0, 1, 2, 3], num_classes=num_classes)
)
model.contrast_head.pop('memory')
model.contrast_head.merge(authors_contrast)
model.contrast_head.loss.merge(dict(temperature=0.3, loss_weight=0.1 * 0.3 / 0.07))
train_dataloader.dataset.pipeline[3].merge(dict(cat_max_ratio=1.0))
train_dataloader.dataset.pipeline[5].merge(authors_jitter)
tta_pipeline[1].transforms[2][0].merge(dict(num_classes=num_classes))
tta_pipeline[1].transforms[0].insert(0, dict(type=Resize, scale_factor=0.5, keep_ratio=True))
train_cfg.merge(dict(max_iters=40000, val_interval=4000))
paper_cell = dict(
    paper='PixelContrast', table='README', dataset='Cityscapes', split='val',
    model='HRNetV2', backbone='HRNetV2-W48', metric='mIoU', start='imagenet',
    variant='contrast no memory tau=0.30 (40K it)',
)  # fmt: skip
