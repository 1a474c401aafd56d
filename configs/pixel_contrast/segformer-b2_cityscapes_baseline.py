"""SegFormer-B2 on Cityscapes, no contrast, 160k iterations, batch 8 (4 GPUs x 2).

Cross-image pixel contrast (ICCV 2021), not a row of the paper.
Learning rates are those of Swin's UPerNet: the head has no higher one.
    tools/dist_train.sh configs/pixel_contrast/segformer-b2_cityscapes_baseline.py 4 --pretrained CKPT
"""

from mmengine.config import read_base

with read_base():
    from .._base_.backbones.mit_b2 import *
    from .._base_.datasets.seg_cityscapes import *
    from .._base_.default_runtime import *
    from .._base_.models.segformer import *
    from .._base_.models.segmentor import *
    from .._base_.schedules.seg_adamw import *
    from .._base_.tta import *

model.merge(dict(data_preprocessor=dict(size=crop_size), backbone=backbone))
model.merge(heads)
model.decode_head.merge(dict(in_channels=backbone_channels, num_classes=num_classes))
train_dataloader.dataset.pipeline[3].merge(dict(cat_max_ratio=1.0))
tta_pipeline[1].transforms[2][0].merge(dict(num_classes=num_classes))
