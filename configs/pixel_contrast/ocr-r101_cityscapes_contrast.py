"""OCR with a dilated ResNet-101 on Cityscapes, with pixel contrast, 100k iterations, batch 8 (4 GPUs x 2).

Cross-image pixel contrast (ICCV 2021), Table 4: 81.2 mIoU on val, multi-scale and flip (``tools/test.py --tta``).
Memory: 637 MB.
    tools/dist_train.sh configs/pixel_contrast/ocr-r101_cityscapes_contrast.py 4 --pretrained CKPT
"""

from mmengine.config import read_base

from semcl_mm.downstream import ContrastCascadeEncoderDecoder

with read_base():
    from .._base_.backbones.resnet101_d8 import *
    from .._base_.datasets.seg_cityscapes import *
    from .._base_.default_runtime import *
    from .._base_.models.ocr_resnet import *
    from .._base_.models.pixel_contrast import *
    from .._base_.models.segmentor import *
    from .._base_.schedules.seg_sgd_poly import *
    from .._base_.tta import *

model.merge(dict(data_preprocessor=dict(size=crop_size), backbone=backbone))
model.merge(heads)
model.merge(contrast)
model.type = ContrastCascadeEncoderDecoder
model.decode_head[0].merge(dict(in_channels=backbone_channels[2], num_classes=num_classes))
model.decode_head[1].merge(dict(in_channels=backbone_channels[3], num_classes=num_classes))
model.contrast_head.merge(
    dict(
        in_channels=backbone_channels[3],
        num_classes=num_classes,
        memory=dict(num_images=2975, pixels_per_class=29750),
    )
)
train_dataloader.dataset.pipeline[3].merge(dict(cat_max_ratio=1.0))
train_dataloader.dataset.pipeline[-1].merge(dict(meta_keys=contrast_meta_keys))
tta_pipeline[1].transforms[2][0].merge(dict(num_classes=num_classes))
paper_cell = dict(
    paper='PixelContrast', table='4', dataset='Cityscapes', split='val',
    model='OCR', backbone='D-ResNet-101', metric='mIoU', start='imagenet',
    variant='ours', protocol='multi-scale and flip',
)  # fmt: skip
