"""PASCAL VOC 2012 with the SBD labels: 10,582 train_aug images, 1,449 val images, 21 classes.

Four GPUs x 4 images. ``SegmentationClassAug`` holds one grey PNG per image.
"""

from mmcv.transforms import RandomFlip, RandomResize, Resize
from mmengine.dataset import DefaultSampler, InfiniteSampler
from mmseg.datasets import PascalVOCDataset, PackSegInputs, PhotoMetricDistortion, RandomCrop
from mmseg.evaluation import IoUMetric

from semcl_mm.downstream import CheckedImage, CheckedSegAnnotations

data_root = 'data/VOCdevkit/VOC2012'
num_classes = 21
crop_size = (512, 512)

train_pipeline = [
    dict(type=CheckedImage),
    dict(type=CheckedSegAnnotations, num_classes=num_classes),
    dict(type=RandomResize, scale=(2048, 512), ratio_range=(0.5, 2.0), keep_ratio=True),
    dict(type=RandomCrop, crop_size=crop_size, cat_max_ratio=0.75),
    dict(type=RandomFlip, prob=0.5),
    dict(type=PhotoMetricDistortion),
    dict(type=PackSegInputs),
]
test_pipeline = [
    dict(type=CheckedImage),
    dict(type=Resize, scale=(2048, 512), keep_ratio=True),
    dict(type=CheckedSegAnnotations, num_classes=num_classes),
    dict(type=PackSegInputs),
]
expected_samples = dict(train=10_582, val=1449)
train_dataloader = dict(
    batch_size=4,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type=InfiniteSampler, shuffle=True),
    dataset=dict(
        type=PascalVOCDataset,
        data_root=data_root,
        ann_file='ImageSets/Segmentation/train_aug.txt',
        data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClassAug'),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type=DefaultSampler, shuffle=False),
    dataset=dict(
        type=PascalVOCDataset,
        data_root=data_root,
        ann_file='ImageSets/Segmentation/val.txt',
        data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type=IoUMetric, iou_metrics=['mIoU'])
test_evaluator = val_evaluator
auto_scale_lr = dict(enable=False, base_batch_size=16)
