"""FCN with dilation 6 and a ResNet-50 of stride 16, VOC12aug, crops of 513, 30k iterations, batch 16 (4 GPUs x 4).

PixCon's protocol (supplement, Table 2: 73.0 mIoU from PixCon-SR, mean of 5 runs; Tables 4 and 7),
with the authors' pipeline: scales of 0.5 to 2 times 2049 x 513, crops, flips, nothing else; no dropout.
Two deviations. They fed images in 0…255 with a mean of 0.485; here mean and deviation belong to
the images. Their ``contract_dilation=True`` leaves the last stage's first block undilated;
mmpretrain's ResNet has no such option, and all three blocks are dilated by 2.
    tools/dist_train.sh configs/segmentation/fcn-d6_r50_voc12aug.py 4 --pretrained CKPT
"""

from mmengine.config import read_base

with read_base():
    from .._base_.backbones.resnet50_d16 import *
    from .._base_.datasets.seg_voc12aug import *
    from .._base_.default_runtime import *
    from .._base_.models.fcn_d6 import *
    from .._base_.models.segmentor import *
    from .._base_.pixcon_methods import *
    from .._base_.schedules.seg_sgd_step import *

model.merge(heads)
model.merge(
    dict(
        data_preprocessor=dict(size=(513, 513)),
        backbone=backbone,
        decode_head=dict(in_channels=backbone_channels[3], num_classes=num_classes),
    )
)
train_dataloader.dataset.pipeline[2].merge(dict(scale=(2049, 513)))
train_dataloader.dataset.pipeline[3].merge(dict(crop_size=(513, 513), cat_max_ratio=1.0))
train_dataloader.dataset.pipeline.pop(5)  # PhotoMetricDistortion
val_dataloader.dataset.pipeline[1].merge(dict(scale=(2049, 513)))
test_dataloader = val_dataloader
paper_cell = dict(
    paper='PixCon-supp', table='2', dataset='VOC12aug', backbone='', metric='mIoU',
    variant='COCO-800ep', models=pixcon_methods, also=[*pixcon_steps, *pixcon_sets],
)  # fmt: skip
