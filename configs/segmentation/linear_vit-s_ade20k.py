"""ViT-S/16 with a linear head on ADE20K, 512 x 512, 80k iterations (64 epochs), batch 16 (4 GPUs x 4).

Local-to-global ViT (arXiv 2205.15173), Table 1: 42.8 mIoU after local-to-global pretraining.
    tools/dist_train.sh configs/segmentation/linear_vit-s_ade20k.py 4 --pretrained work_dirs/vit-s_imagenet/iter_187500.pth
"""

from mmengine.config import read_base

with read_base():
    from .._base_.backbones.vit_small import *
    from .._base_.datasets.seg_ade20k import *
    from .._base_.default_runtime import *
    from .._base_.models.linear_vit import *
    from .._base_.models.segmentor import *
    from .._base_.schedules.seg_adamw_layer_decay import *

model.merge(heads)
model.merge(
    dict(
        backbone=dict(
            backbone, img_size=512, out_type='featmap', out_indices=[11], drop_path_rate=0.1
        ),
        decode_head=dict(in_channels=backbone_channels, num_classes=num_classes),
    )
)
paper_cell = dict(
    paper='L2G-ViT',
    table='1',
    dataset='ADE20K',
    model='Ours',
    pretraining='LocalToGlobal',
    backbone='',
    metric='mIoU',
    variant='ViT-S/16 Linear',
)
