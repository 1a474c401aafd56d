"""PASCAL VOC 07+12 trainval (16,551 images) -> VOC07 test (4,952 images), 20 classes, boxes alone.

Four GPUs x 4 images. Short side of 480 to 800 pixels in training, 800 in the test. AP is VOC07's
(11 points).
"""

from mmcv.transforms import RandomChoiceResize
from mmdet.datasets.transforms import PackDetInputs, RandomFlip, Resize
from mmengine.dataset import ConcatDataset, DefaultSampler

from semcl_mm.downstream import CheckedImage
from semcl_mm.downstream.detection import (
    AspectRatioSampler,
    CheckedDetAnnotations,
    CheckedVOCDataset,
    VOCDetectionMetric,
)

data_root = 'data/VOCdevkit'
num_classes = 20

train_pipeline = [
    dict(type=CheckedImage),
    dict(type=CheckedDetAnnotations, with_bbox=True),
    dict(
        type=RandomChoiceResize,
        scales=[(1333, short) for short in range(480, 801, 32)],
        resize_type=Resize,
        keep_ratio=True,
    ),
    dict(type=RandomFlip, prob=0.5),
    dict(type=PackDetInputs),
]
test_pipeline = [
    dict(type=CheckedImage),
    dict(type=Resize, scale=(1333, 800), keep_ratio=True),
    # the ground truth stays as the image file has it
    dict(type=CheckedDetAnnotations, with_bbox=True),
    dict(
        type=PackDetInputs,
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'),
    ),
]
expected_samples = dict(train=16_551, val=4952, tolerance=0.01)  # some hold difficult objects alone
train_dataloader = dict(
    batch_size=4,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type=AspectRatioSampler, batch_size=4),
    dataset=dict(
        type=ConcatDataset,
        ignore_keys=['dataset_type'],
        datasets=[
            dict(
                type=CheckedVOCDataset,
                data_root=data_root,
                ann_file=f'{year}/ImageSets/Main/trainval.txt',
                data_prefix=dict(sub_data_root=year),
                filter_cfg=dict(filter_empty_gt=True, min_size=32),
                pipeline=train_pipeline,
            )
            for year in ('VOC2007', 'VOC2012')
        ],
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type=DefaultSampler, shuffle=False),
    dataset=dict(
        type=CheckedVOCDataset,
        data_root=data_root,
        ann_file='VOC2007/ImageSets/Main/test.txt',
        data_prefix=dict(sub_data_root='VOC2007'),
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type=VOCDetectionMetric, interpolation='11points')
test_evaluator = val_evaluator
auto_scale_lr = dict(enable=False, base_batch_size=16)
