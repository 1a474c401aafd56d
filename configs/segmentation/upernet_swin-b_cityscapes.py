"""UPerNet Swin-B on Cityscapes, 80k iterations, batch 8 (4 GPUs x 2).

SemCL (ICCV 2023), Table 2: 81.61 mIoU from Swin IN-22k, 81.94 from SemCL. The paper's settings are in an
appendix that is not public; these are mmsegmentation's usual ones.
    tools/dist_train.sh configs/segmentation/upernet_swin-b_cityscapes.py 4 --pretrained work_dirs/swin-b_cityscapes_from_swin_base_in22k/iter_30000.pth
"""

from mmengine.config import read_base

with read_base():
    from .._base_.backbones.swin_base import *
    from .._base_.datasets.seg_cityscapes import *
    from .._base_.default_runtime import *
    from .._base_.models.upernet import *
    from .._base_.schedules.seg_adamw import *

model.merge(
    dict(
        data_preprocessor=dict(size=crop_size),
        backbone=backbone,
        decode_head=dict(in_channels=backbone_channels, num_classes=num_classes),
        auxiliary_head=dict(in_channels=backbone_channels[2], num_classes=num_classes),
    )
)
train_cfg.merge(dict(max_iters=80000, val_interval=8000))
paper_cell = dict(
    paper='SemCL', table='2', dataset='Cityscapes', backbone='Swin-B', metric='mIoU', variant=None
)
