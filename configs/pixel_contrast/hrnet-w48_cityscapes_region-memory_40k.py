"""HRNetV2-W48 on Cityscapes, region memory alone, 40k iterations, batch 8 (4 GPUs x 2).

Cross-image pixel contrast (ICCV 2021), Table 2: 80.2 mIoU on val, multi-scale and flip (``tools/test.py --tta``).
Memory: 58 MB.
    tools/dist_train.sh configs/pixel_contrast/hrnet-w48_cityscapes_region-memory_40k.py 4 --pretrained CKPT
"""

from mmengine.config import read_base

with read_base():
    from .._base_.backbones.hrnet_w48 import *
    from .._base_.datasets.seg_cityscapes import *
    from .._base_.default_runtime import *
    from .._base_.models.hrnet_fcn import *
    from .._base_.models.pixel_contrast import *
    from .._base_.models.segmentor import *
    from .._base_.schedules.seg_sgd_poly import *
    from .._base_.tta import *

model.merge(dict(data_preprocessor=dict(size=crop_size), backbone=backbone))
model.merge(heads)
model.merge(contrast)
model.decode_head.merge(dict(in_channels=backbone_channels, num_classes=num_classes))
model.contrast_head.merge(
    dict(
        in_channels=backbone_channels,
        in_index=[0, 1, 2, 3],
        num_classes=num_classes,
        memory=dict(num_images=2975, pixels_per_class=29750, memory='region'),
    )
)
train_dataloader.dataset.pipeline[3].merge(dict(cat_max_ratio=1.0))
train_dataloader.dataset.pipeline[-1].merge(dict(meta_keys=contrast_meta_keys))
tta_pipeline[1].transforms[2][0].merge(dict(num_classes=num_classes))
train_cfg.merge(dict(max_iters=40000, val_interval=4000))
paper_cell = dict(
    paper='PixelContrast', table='2', dataset='Cityscapes', split='val',
    model='HRNetV2', backbone='HRNetV2-W48', metric='mIoU', start='imagenet',
    variant='region memory (40K it)', protocol='multi-scale and flip',
)  # fmt: skip
