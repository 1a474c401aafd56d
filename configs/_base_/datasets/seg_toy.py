"""The toy world (``tools/dataset_converters/make_toy.py``), VOC layout.

Crops and flips alone: with random scales and colours a training of minutes learns half as much.
"""

from mmcv.transforms import RandomFlip, Resize
from mmengine.dataset import DefaultSampler, InfiniteSampler
from mmseg.datasets import PackSegInputs, RandomCrop
from mmseg.evaluation import IoUMetric

from semcl_mm.downstream import CheckedImage, CheckedSegAnnotations, ToySegDataset

data_root = 'data/toy'
num_classes = 9
crop_size = (96, 96)

train_pipeline = [
    dict(type=CheckedImage),
    dict(type=CheckedSegAnnotations, num_classes=num_classes),
    dict(type=RandomCrop, crop_size=crop_size, cat_max_ratio=0.75),
    dict(type=RandomFlip, prob=0.5),
    dict(type=PackSegInputs),
]
test_pipeline = [
    dict(type=CheckedImage),
    dict(type=Resize, scale=(160, 120), keep_ratio=True),
    dict(type=CheckedSegAnnotations, num_classes=num_classes),
    dict(type=PackSegInputs),
]
train_dataloader = dict(
    batch_size=16,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type=InfiniteSampler, shuffle=True),
    dataset=dict(
        type=ToySegDataset,
        data_root=data_root,
        ann_file='ImageSets/Segmentation/train.txt',
        data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type=DefaultSampler, shuffle=False),
    dataset=dict(
        type=ToySegDataset,
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
