"""ViT-B/16 with UPerNet on ADE20K, 512 x 512, 80k iterations (64 epochs), batch 16 (4 GPUs x 4).

Local-to-global ViT (arXiv 2205.15173), Table 1: 45.1 mIoU after local-to-global pretraining.
Weight decay and drop path of ViT-B are "higher" in the paper: here 0.05 and 0.2.
    tools/dist_train.sh configs/segmentation/upernet_vit-b_ade20k.py 4 --pretrained work_dirs/vit-b_imagenet/iter_187500.pth
"""

from mmengine.config import read_base

with read_base():
    from .._base_.backbones.vit_base import *
    from .._base_.datasets.seg_ade20k import *
    from .._base_.default_runtime import *
    from .._base_.models.upernet_vit import *
    from .._base_.models.segmentor import *
    from .._base_.schedules.seg_adamw_layer_decay import *

model.merge(heads)
model.merge(
    dict(
        backbone=dict(
            backbone,
            img_size=512,
            out_type='featmap',
            out_indices=[3, 5, 7, 11],
            drop_path_rate=0.2,
        ),
        neck=dict(embed_dim=backbone_channels),
        decode_head=dict(in_channels=[backbone_channels] * 4, num_classes=num_classes),
        auxiliary_head=dict(in_channels=backbone_channels, num_classes=num_classes),
    )
)
optim_wrapper.merge(dict(optimizer=dict(weight_decay=0.05)))
paper_cell = dict(
    paper='L2G-ViT',
    table='1',
    dataset='ADE20K',
    model='Ours',
    pretraining='LocalToGlobal',
    backbone='',
    metric='mIoU',
    variant='ViT-B/16 UPerNet',
)
