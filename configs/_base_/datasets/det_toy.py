"""The toy world (``tools/dataset_converters/make_toy.py``), COCO files: eight classes of shapes."""

from mmcv.transforms import RandomChoiceResize
from mmdet.datasets.transforms import PackDetInputs, RandomFlip, Resize
from mmengine.dataset import DefaultSampler, InfiniteSampler

from semcl_mm.downstream import CheckedImage
from semcl_mm.downstream.detection import CheckedDetAnnotations, COCODetectionMetric, ToyDetDataset

data_root = 'data/toy'
num_classes = 8

train_pipeline = [
    dict(type=CheckedImage),
    dict(type=CheckedDetAnnotations, with_bbox=True, with_mask=True),
    dict(
        type=RandomChoiceResize,
        scales=[(160, 120), (192, 144), (224, 168)],
        resize_type=Resize,  # by its name alone mmcv's own is built, which leaves masks as they are
        keep_ratio=True,
    ),
    dict(type=RandomFlip, prob=0.5),
    dict(type=PackDetInputs),
]
test_pipeline = [
    dict(type=CheckedImage),
    dict(type=Resize, scale=(192, 144), keep_ratio=True),
    # the ground truth stays as the image file has it
    dict(type=CheckedDetAnnotations, with_bbox=True, with_mask=True),
    dict(
        type=PackDetInputs,
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'),
    ),
]
train_dataloader = dict(
    batch_size=8,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type=InfiniteSampler, shuffle=True),
    dataset=dict(
        type=ToyDetDataset,
        data_root=data_root,
        ann_file='annotations/instances_train.json',
        data_prefix=dict(img='JPEGImages'),
        filter_cfg=dict(filter_empty_gt=True, min_size=32),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type=DefaultSampler, shuffle=False),
    dataset=dict(
        type=ToyDetDataset,
        data_root=data_root,
        ann_file='annotations/instances_val.json',
        data_prefix=dict(img='JPEGImages'),
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type=COCODetectionMetric, iou_types=dict(bbox='box', segm='mask'))
test_evaluator = val_evaluator
auto_scale_lr = dict(enable=False, base_batch_size=8)
