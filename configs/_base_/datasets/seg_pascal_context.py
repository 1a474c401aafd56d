"""PASCAL-Context: 4,998 train and 5,105 test images, 59 classes; label 0 (background) is ignored.

Four GPUs x 4 images, crops of 520 x 520; images are tested at their own size. mmsegmentation's
layout and converter: ``VOC2010/{JPEGImages,SegmentationClassContext,ImageSets/SegmentationContext}``,
where the list of the test images is called val.
"""

from mmcv.transforms import RandomFlip
from mmengine.dataset import DefaultSampler, InfiniteSampler
from mmseg.datasets import (
    PackSegInputs,
    PascalContextDataset59,
    PhotoMetricDistortion,
    RandomCrop,
)
from mmseg.evaluation import IoUMetric

from semcl_mm.downstream import CheckedImage, CheckedSegAnnotations, RandomScale

data_root = 'data/VOCdevkit/VOC2010'
num_classes = 59
crop_size = (520, 520)

train_pipeline = [
    dict(type=CheckedImage),
    dict(type=CheckedSegAnnotations, num_classes=num_classes),
    dict(type=RandomScale, ratio_range=(0.5, 2.0)),
    dict(type=RandomCrop, crop_size=crop_size, cat_max_ratio=1.0),
    dict(type=RandomFlip, prob=0.5),
    dict(type=PhotoMetricDistortion),
    dict(type=PackSegInputs),
]
test_pipeline = [
    dict(type=CheckedImage),
    dict(type=CheckedSegAnnotations, num_classes=num_classes),
    dict(type=PackSegInputs),
]
expected_samples = dict(train=4998, val=5105)
train_dataloader = dict(
    batch_size=4,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type=InfiniteSampler, shuffle=True),
    dataset=dict(
        type=PascalContextDataset59,
        data_root=data_root,
        ann_file='ImageSets/SegmentationContext/train.txt',
        data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClassContext'),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type=DefaultSampler, shuffle=False),
    dataset=dict(
        type=PascalContextDataset59,
        data_root=data_root,
        ann_file='ImageSets/SegmentationContext/val.txt',
        data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClassContext'),
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type=IoUMetric, iou_metrics=['mIoU'])
test_evaluator = val_evaluator
auto_scale_lr = dict(enable=False, base_batch_size=16)
