"""COCO 2017: 118k train images, 5k val images, 80 classes. Four GPUs x 4 images.

Short side of 640 to 800 pixels in training, 800 in the test.
"""

from mmcv.transforms import RandomChoiceResize
from mmdet.datasets.transforms import PackDetInputs, RandomFlip, Resize
from mmengine.dataset import DefaultSampler

from semcl_mm.downstream import CheckedImage
from semcl_mm.downstream.detection import (
    AspectRatioSampler,
    CheckedCocoDataset,
    CheckedDetAnnotations,
    COCODetectionMetric,
)

data_root = 'data/coco'
num_classes = 80

train_pipeline = [
    dict(type=CheckedImage),
    dict(type=CheckedDetAnnotations, with_bbox=True, with_mask=True),
    dict(
        type=RandomChoiceResize,
        scales=[(1333, short) for short in range(640, 801, 32)],
        resize_type=Resize,  # by its name alone mmcv's own is built, which leaves masks as they are
        keep_ratio=True,
    ),
    dict(type=RandomFlip, prob=0.5),
    dict(type=PackDetInputs),
]
test_pipeline = [
    dict(type=CheckedImage),
    dict(type=Resize, scale=(1333, 800), keep_ratio=True),
    # the ground truth stays as the image file has it
    dict(type=CheckedDetAnnotations, with_bbox=True, with_mask=True),
    dict(
        type=PackDetInputs,
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'),
    ),
]
expected_samples = dict(train=117_266, val=5000, tolerance=0.001)
train_dataloader = dict(
    batch_size=4,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type=AspectRatioSampler, batch_size=4),
    dataset=dict(
        type=CheckedCocoDataset,
        data_root=data_root,
        ann_file='annotations/instances_train2017.json',
        data_prefix=dict(img='train2017'),
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
        type=CheckedCocoDataset,
        data_root=data_root,
        ann_file='annotations/instances_val2017.json',
        data_prefix=dict(img='val2017'),
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type=COCODetectionMetric, iou_types=dict(bbox='box', segm='mask'))
test_evaluator = val_evaluator
auto_scale_lr = dict(enable=False, base_batch_size=16)
