"""KITTI, Eigen's split: 23,158 training images and the 652 of 697 test images that have ground truth, up to 80 m.

``input/<date>/…`` and ``gt_depth/<drive>/…`` (sparse, 16 bit, metres x 256) with a list per split. Trained on
crops of the benchmark crop (1216 x 352), evaluated on whole images in Garg's region, per image.
Four GPUs x 4 images.
"""

from mmengine.dataset import DefaultSampler, InfiniteSampler
from mmseg.datasets import PackSegInputs, PhotoMetricDistortion, RandomCrop
from mmseg.datasets.transforms import RandomFlip, RandomRotate

from semcl_mm.downstream import CheckedImage
from semcl_mm.downstream.depth import CheckedDepth, CropKITTI, DepthMetric, KITTIDepthDataset

data_root = 'data/kitti'
max_depth = 80.0
crop_size = (352, 704)

train_pipeline = [
    dict(type=CheckedImage),
    dict(type=CheckedDepth),
    dict(type=CropKITTI),
    dict(type=RandomRotate, prob=0.5, degree=1.0, seg_pad_val=0),
    dict(type=RandomFlip, prob=0.5),
    dict(type=RandomCrop, crop_size=crop_size),
    dict(
        type=PhotoMetricDistortion,
        brightness_delta=16,
        contrast_range=(0.8, 1.2),
        saturation_range=(0.8, 1.2),
        hue_delta=9,
    ),
    dict(type=PackSegInputs),
]
test_pipeline = [
    dict(type=CheckedImage),
    dict(type=CheckedDepth),
    dict(type=PackSegInputs),
]
expected_samples = dict(train=23_158, val=652)
train_dataloader = dict(
    batch_size=4,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type=InfiniteSampler, shuffle=True),
    dataset=dict(
        type=KITTIDepthDataset,
        data_root=data_root,
        ann_file='kitti_eigen_train.txt',
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type=DefaultSampler, shuffle=False),
    dataset=dict(
        type=KITTIDepthDataset,
        data_root=data_root,
        ann_file='kitti_eigen_test.txt',
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type=DepthMetric, max_depth=max_depth, crop='garg', average='image')
test_evaluator = val_evaluator
auto_scale_lr = dict(enable=False, base_batch_size=16)
