"""OCR with a dilated ResNet-101 on Cityscapes, no contrast, 100k iterations, batch 8 (4 GPUs x 2).

Cross-image pixel contrast (ICCV 2021), Table 4: 80.6 mIoU on val, multi-scale and flip (``tools/test.py --tta``).
    tools/dist_train.sh configs/pixel_contrast/ocr-r101_cityscapes_baseline.py 4 --pretrained CKPT
"""

from mmengine.config import read_base

with read_base():
    from .._base_.backbones.resnet101_d8 import *
    from .._base_.datasets.seg_cityscapes import *
    from .._base_.default_runtime import *
    from .._base_.models.ocr_resnet import *
    from .._base_.models.segmentor import *
    from .._base_.schedules.seg_sgd_poly import *
    from .._base_.tta import *

model.merge(dict(data_preprocessor=dict(size=crop_size), backbone=backbone))
model.merge(heads)
model.decode_head[0].merge(dict(in_channels=backbone_channels[2], num_classes=num_classes))
model.decode_head[1].merge(dict(in_channels=backbone_channels[3], num_classes=num_classes))
train_dataloader.dataset.pipeline[3].merge(dict(cat_max_ratio=1.0))
tta_pipeline[1].transforms[2][0].merge(dict(num_classes=num_classes))
paper_cell = dict(
    paper='PixelContrast', table='4', dataset='Cityscapes', split='val',
    model='OCR', backbone='D-ResNet-101', metric='mIoU', start='imagenet',
    variant='baseline', protocol='multi-scale and flip',
)  # fmt: skip
