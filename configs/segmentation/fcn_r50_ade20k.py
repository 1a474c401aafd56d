"""FCN with an auxiliary head and a ResNet-50 of stride 8, ADE20K, crops of 512, 80k iterations, batch 16 (4 GPUs x 4).

PixCon's protocol (supplement, Table 7: 38.0 mIoU from PixCon-SR on COCO, 38.8 on COCO+).
    tools/dist_train.sh configs/segmentation/fcn_r50_ade20k.py 4 --pretrained CKPT
"""

from mmengine.config import read_base

with read_base():
    from .._base_.backbones.resnet50_os8 import *
    from .._base_.datasets.seg_ade20k import *
    from .._base_.default_runtime import *
    from .._base_.models.fcn import *
    from .._base_.models.segmentor import *
    from .._base_.pixcon_methods import *
    from .._base_.schedules.seg_sgd_poly import *

model.merge(heads)
model.merge(
    dict(
        data_preprocessor=dict(size=crop_size),
        backbone=backbone,
        decode_head=dict(in_channels=backbone_channels[3], num_classes=num_classes),
        auxiliary_head=dict(in_channels=backbone_channels[2], num_classes=num_classes),
    )
)
train_cfg.merge(dict(max_iters=80000, val_interval=8000))
param_scheduler[0].merge(dict(eta_min=1e-4))
paper_cell = dict(
    paper='PixCon-supp', dataset='ADE20K', backbone='', metric='mIoU', **pixcon_sets[0],
    also=pixcon_sets[1:],
)  # fmt: skip
