"""COCO-Stuff10k: 9,000 train and 1,000 test images, 171 classes; label 0 (unlabelled) is ignored.

Four GPUs x 4 images, crops of 520 x 520; images are tested at their own size. Labels are the
``*_labelTrainIds.png`` that mmsegmentation's converter writes.
"""

from mmcv.transforms import RandomFlip
from mmengine.dataset import DefaultSampler, InfiniteSampler
from mmseg.datasets import COCOStuffDataset, PackSegInputs, PhotoMetricDistortion, RandomCrop
from mmseg.evaluation import IoUMetric

from semcl_mm.downstream import CheckedImage, CheckedSegAnnotations, RandomScale

data_root = 'data/coco_stuff10k'
num_classes = 171
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
expected_samples = dict(train=9000, val=1000)
train_dataloader = dict(
    batch_size=4,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type=InfiniteSampler, shuffle=True),
    dataset=dict(
        type=COCOStuffDataset,
        data_root=data_root,
        reduce_zero_label=True,
        data_prefix=dict(img_path='images/train2014', seg_map_path='annotations/train2014'),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type=DefaultSampler, shuffle=False),
    dataset=dict(
        type=COCOStuffDataset,
        data_root=data_root,
        reduce_zero_label=True,
        data_prefix=dict(img_path='images/test2014', seg_map_path='annotations/test2014'),
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type=IoUMetric, iou_metrics=['mIoU'])
test_evaluator = val_evaluator
auto_scale_lr = dict(enable=False, base_batch_size=16)
