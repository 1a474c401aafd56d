"""Cityscapes fine: 2,975 train and 500 val images, 19 classes, crops of 512 x 1024.

Four GPUs x 2 images. Labels are ``*_gtFine_labelTrainIds.png``.
"""

from mmcv.transforms import RandomFlip, RandomResize, Resize
from mmengine.dataset import DefaultSampler, InfiniteSampler
from mmseg.datasets import CityscapesDataset, PackSegInputs, PhotoMetricDistortion, RandomCrop
from mmseg.evaluation import IoUMetric

from semcl_mm.downstream import CheckedImage, CheckedSegAnnotations

data_root = 'data/cityscapes'
num_classes = 19
crop_size = (512, 1024)

train_pipeline = [
    dict(type=CheckedImage),
    dict(type=CheckedSegAnnotations, num_classes=num_classes),
    dict(type=RandomResize, scale=(2048, 1024), ratio_range=(0.5, 2.0), keep_ratio=True),
    dict(type=RandomCrop, crop_size=crop_size, cat_max_ratio=0.75),
    dict(type=RandomFlip, prob=0.5),
    dict(type=PhotoMetricDistortion),
    dict(type=PackSegInputs),
]
test_pipeline = [
    dict(type=CheckedImage),
    dict(type=Resize, scale=(2048, 1024), keep_ratio=True),
    dict(type=CheckedSegAnnotations, num_classes=num_classes),
    dict(type=PackSegInputs),
]
expected_samples = dict(train=2975, val=500)
train_dataloader = dict(
    batch_size=2,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type=InfiniteSampler, shuffle=True),
    dataset=dict(
        type=CityscapesDataset,
        data_root=data_root,
        data_prefix=dict(img_path='leftImg8bit/train', seg_map_path='gtFine/train'),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type=DefaultSampler, shuffle=False),
    dataset=dict(
        type=CityscapesDataset,
        data_root=data_root,
        data_prefix=dict(img_path='leftImg8bit/val', seg_map_path='gtFine/val'),
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type=IoUMetric, iou_metrics=['mIoU'])
test_evaluator = val_evaluator
auto_scale_lr = dict(enable=False, base_batch_size=8)
