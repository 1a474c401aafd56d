"""A small sample of RGB-D scenes: 129 train and 32 val images of 640 x 480 from five scenes, up to 10 m.

A folder with ``splits/*.txt`` (``image depth scale fx fy cx cy`` per line). The validation images are the
last fifth of the same scenes: this measures interpolation within scenes, not generalisation
(``splits/cross_*.txt`` are other rooms). Images go through the network at 320 x 240 and are judged at 640 x 480.
One process x 8 images.
"""

from mmengine.dataset import DefaultSampler, InfiniteSampler
from mmseg.datasets import PackSegInputs, PhotoMetricDistortion, RandomCrop
from mmseg.datasets.transforms import RandomFlip, Resize

from semcl_mm.downstream import CheckedImage
from semcl_mm.downstream.depth import CheckedDepth, DepthListDataset, DepthMetric

data_root = 'data/depth'
max_depth = 10.0
crop_size = (224, 288)

train_pipeline = [
    dict(type=CheckedImage),
    dict(type=CheckedDepth),
    dict(type=Resize, scale=(320, 240), keep_ratio=True),
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
    dict(type=Resize, scale=(320, 240), keep_ratio=True),
    dict(type=CheckedDepth),
    dict(type=PackSegInputs),
]
train_dataloader = dict(
    batch_size=8,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type=InfiniteSampler, shuffle=True),
    dataset=dict(
        type=DepthListDataset,
        data_root=data_root,
        ann_file='splits/within_train.txt',
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type=DefaultSampler, shuffle=False),
    dataset=dict(
        type=DepthListDataset,
        data_root=data_root,
        ann_file='splits/within_val.txt',
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type=DepthMetric, max_depth=max_depth, crop='none', average='image')
test_evaluator = val_evaluator
auto_scale_lr = dict(enable=False, base_batch_size=8)
