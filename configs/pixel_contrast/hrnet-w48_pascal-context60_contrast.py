"""HRNetV2-W48 on PASCAL-Context, with pixel contrast, 60k iterations, batch 16 (4 GPUs x 4).

Cross-image pixel contrast (ICCV 2021), not a row of the paper.
Memory: 1.69 GB in bfloat16, all T = 10 N pixels a class.
Background is a class of its own: 60 classes.
    tools/dist_train.sh configs/pixel_contrast/hrnet-w48_pascal-context60_contrast.py 4 --pretrained CKPT
"""

from mmengine.config import read_base
from mmseg.datasets import PascalContextDataset

with read_base():
    from .._base_.backbones.hrnet_w48 import *
    from .._base_.datasets.seg_pascal_context import *
    from .._base_.default_runtime import *
    from .._base_.models.hrnet_fcn import *
    from .._base_.models.pixel_contrast import *
    from .._base_.models.segmentor import *
    from .._base_.schedules.seg_sgd_poly import *
    from .._base_.tta import *

num_classes = 60
model.merge(dict(data_preprocessor=dict(size=crop_size), backbone=backbone))
model.merge(heads)
model.merge(contrast)
model.decode_head.merge(dict(in_channels=backbone_channels, num_classes=num_classes))
model.contrast_head.merge(
    dict(
        in_channels=backbone_channels,
        in_index=[0, 1, 2, 3],
        num_classes=num_classes,
        memory=dict(num_images=4998, pixels_per_class=49980, dtype='bfloat16'),
    )
)
for dataset in (train_dataloader.dataset, val_dataloader.dataset, test_dataloader.dataset):
    dataset.type = PascalContextDataset
    dataset.pipeline[1].num_classes = num_classes
del dataset
train_dataloader.dataset.pipeline[-1].merge(dict(meta_keys=contrast_meta_keys))
tta_pipeline[1].transforms[2][0].merge(dict(num_classes=num_classes))
train_cfg.merge(dict(max_iters=60000, val_interval=6000))
optim_wrapper.optimizer.merge(dict(lr=1e-3))
