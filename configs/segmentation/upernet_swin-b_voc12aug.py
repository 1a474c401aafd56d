"""UPerNet Swin-B on PASCAL VOC 2012 (train_aug), 40k iterations, batch 16 (4 GPUs x 4).

SemCL (ICCV 2023), Table 2: 84.64 mIoU from Swin IN-22k, 84.67 from SemCL. The paper's settings are in an
appendix that is not public; these are mmsegmentation's usual ones.
    tools/dist_train.sh configs/segmentation/upernet_swin-b_voc12aug.py 4 --pretrained work_dirs/swin-b_voc_from_swin_base_in22k/iter_30000.pth
"""

from mmengine.config import read_base

with read_base():
    from .._base_.backbones.swin_base import *
    from .._base_.datasets.seg_voc12aug import *
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
train_cfg.merge(dict(max_iters=40000, val_interval=4000))
paper_cell = dict(
    paper='SemCL', table='2', dataset='VOC2012', backbone='Swin-B', metric='mIoU', variant=None
)
