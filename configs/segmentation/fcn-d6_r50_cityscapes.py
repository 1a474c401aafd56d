"""FCN with dilation 6 and a ResNet-50 of stride 16, Cityscapes, crops of 769, 90k iterations, batch 16 (4 GPUs x 4).

PixCon's protocol (supplement, Table 2: 76.6 mIoU from PixCon-SR, mean of 3 runs; Table 7), with
the authors' pipeline: scales of 0.5 to 2 times 2049 x 1025, crops, flips, nothing else; no dropout;
tested at 2049 x 1025 in windows of 769 every 513 pixels.
Two deviations. They fed images in 0…255 with a mean of 0.485; here mean and deviation belong to
the images. Their ``contract_dilation=True`` leaves the last stage's first block undilated;
mmpretrain's ResNet has no such option, and all three blocks are dilated by 2.
    tools/dist_train.sh configs/segmentation/fcn-d6_r50_cityscapes.py 4 --pretrained CKPT
"""

from mmengine.config import read_base

with read_base():
    from .._base_.backbones.resnet50_d16 import *
    from .._base_.datasets.seg_cityscapes import *
    from .._base_.default_runtime import *
    from .._base_.models.fcn_d6 import *
    from .._base_.models.segmentor import *
    from .._base_.pixcon_methods import *
    from .._base_.schedules.seg_sgd_step import *

model.merge(heads)
model.merge(
    dict(
        data_preprocessor=dict(size=(769, 769)),
        backbone=backbone,
        decode_head=dict(in_channels=backbone_channels[3], num_classes=num_classes),
        test_cfg=dict(mode='slide', crop_size=(769, 769), stride=(513, 513)),
    )
)
train_dataloader.merge(dict(batch_size=4))
train_dataloader.dataset.pipeline[2].merge(dict(scale=(2049, 1025)))
train_dataloader.dataset.pipeline[3].merge(dict(crop_size=(769, 769), cat_max_ratio=1.0))
train_dataloader.dataset.pipeline.pop(5)  # PhotoMetricDistortion
val_dataloader.dataset.pipeline[1].merge(dict(scale=(2049, 1025)))
test_dataloader = val_dataloader
train_cfg.merge(dict(max_iters=90000, val_interval=9000))
optim_wrapper.merge(dict(optimizer=dict(lr=0.01)))
param_scheduler[0].merge(dict(milestones=[63000, 81000]))
auto_scale_lr = dict(enable=False, base_batch_size=16)
paper_cell = dict(
    paper='PixCon-supp', table='2', dataset='Cityscapes', backbone='', metric='mIoU',
    variant='COCO-800ep', models=pixcon_methods, also=pixcon_sets,
)  # fmt: skip
