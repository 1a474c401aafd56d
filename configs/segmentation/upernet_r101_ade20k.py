"""UPerNet R101 on ADE20K, 160k iterations, batch 16 (4 GPUs x 4).

SemCL (ICCV 2023), Table 2: 44.43 mIoU from timm IN-1k, 44.66 from SemCL. The paper's settings are in an
appendix that is not public; these are mmsegmentation's usual ones.
    tools/dist_train.sh configs/segmentation/upernet_r101_ade20k.py 4 --pretrained work_dirs/r101_ade20k_from_resnet101_a1h/iter_30000.pth
"""

from mmengine.config import read_base

with read_base():
    from .._base_.backbones.resnet101 import *
    from .._base_.datasets.seg_ade20k import *
    from .._base_.default_runtime import *
    from .._base_.models.upernet import *
    from .._base_.schedules.seg_sgd import *

model.merge(
    dict(
        data_preprocessor=dict(size=crop_size),
        backbone=backbone,
        decode_head=dict(in_channels=backbone_channels, num_classes=num_classes),
        auxiliary_head=dict(in_channels=backbone_channels[2], num_classes=num_classes),
    )
)
train_cfg.merge(dict(max_iters=160000, val_interval=16000))
paper_cell = dict(
    paper='SemCL', table='2', dataset='ADE20K', backbone='R101', metric='mIoU', variant=None
)
