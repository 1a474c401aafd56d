"""HRNetV2-W48 on CamVid, no contrast, 30k iterations, batch 16 (4 GPUs x 4).

Cross-image pixel contrast (ICCV 2021), not a row of the paper.
Iterations, crop and learning rate are those of the authors' CamVid config.
    tools/dist_train.sh configs/pixel_contrast/hrnet-w48_camvid_baseline.py 4 --pretrained CKPT
"""

from mmengine.config import read_base

with read_base():
    from .._base_.backbones.hrnet_w48 import *
    from .._base_.datasets.seg_camvid import *
    from .._base_.default_runtime import *
    from .._base_.models.hrnet_fcn import *
    from .._base_.models.segmentor import *
    from .._base_.schedules.seg_sgd_poly import *
    from .._base_.tta import *

model.merge(dict(data_preprocessor=dict(size=(360, 480)), backbone=backbone))
model.merge(heads)
model.decode_head.merge(dict(in_channels=backbone_channels, num_classes=num_classes))
train_dataloader.dataset.pipeline[3].merge(dict(crop_size=(360, 480), cat_max_ratio=1.0))
tta_pipeline[1].transforms[2][0].merge(dict(num_classes=num_classes))
train_cfg.merge(dict(max_iters=30000, val_interval=3000))
optim_wrapper.optimizer.merge(dict(lr=1e-3))
