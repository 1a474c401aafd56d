"""Cityscapes: 2,975 train images, 500 val images, eight classes with instances. Four GPUs x 2 images.

``tools/dataset_converters/cityscapes_instances.py`` writes the COCO files from ``gtFine``. Short side
of 800 to 1024 pixels in training, 1024 in the test.
"""

from mmcv.transforms import RandomChoiceResize
from mmdet.datasets.transforms import PackDetInputs, RandomFlip, Resize
from mmengine.dataset import DefaultSampler

from semcl_mm.downstream import CheckedImage
from semcl_mm.downstream.detection import (
    AspectRatioSampler,
    CheckedCityscapesDataset,
    CheckedDetAnnotations,
    COCODetectionMetric,
)

data_root = 'data/cityscapes'
num_classes = 8

train_pipeline = [
    dict(type=CheckedImage),
    dict(type=CheckedDetAnnotations, with_bbox=True, with_mask=True),
    dict(
        type=RandomChoiceResize,
        scales=[(2048, short) for short in range(800, 1025, 32)],
        resize_type=Resize,  # by its name alone mmcv's own is built, which leaves masks as they are
        keep_ratio=True,
    ),
    dict(type=RandomFlip, prob=0.5),
    dict(type=PackDetInputs),
]
test_pipeline = [
    dict(type=CheckedImage),
    dict(type=Resize, scale=(2048, 1024), keep_ratio=True),
    # the ground truth stays as the image file has it
    dict(type=CheckedDetAnnotations, with_bbox=True, with_mask=True),
    dict(
        type=PackDetInputs,
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'),
    ),
]
expected_samples = dict(train=2965, val=500, tolerance=0.001)
train_dataloader = dict(
    batch_size=2,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type=AspectRatioSampler, batch_size=2),
    dataset=dict(
        type=CheckedCityscapesDataset,
        data_root=data_root,
        ann_file='annotations/instances_train.json',
        data_prefix=dict(img='leftImg8bit/train'),
        filter_cfg=dict(filter_empty_gt=True, min_size=32),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type=DefaultSampler, shuffle=False),
    dataset=dict(
        type=CheckedCityscapesDataset,
        data_root=data_root,
        ann_file='annotations/instances_val.json',
        data_prefix=dict(img='leftImg8bit/val'),
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type=COCODetectionMetric, iou_types=dict(bbox='box', segm='mask'))
test_evaluator = val_evaluator
auto_scale_lr = dict(enable=False, base_batch_size=8)
