"""The toy world's depth (``tools/dataset_converters/make_toy.py``): 300 train and 100 val images of 160 x 120.

1.2 to 11.2 m, every pixel known. One process x 8 images.
"""

from mmengine.dataset import DefaultSampler, InfiniteSampler
from mmseg.datasets import PackSegInputs, PhotoMetricDistortion, RandomCrop
from mmseg.datasets.transforms import RandomFlip

from semcl_mm.downstream import CheckedImage
from semcl_mm.downstream.depth import CheckedDepth, DepthListDataset, DepthMetric

data_root = 'data/toy'
max_depth = 12.0
crop_size = (96, 128)

train_pipeline = [
    dict(type=CheckedImage),
    dict(type=CheckedDepth),
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
train_dataloader = dict(
    batch_size=8,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type=InfiniteSampler, shuffle=True),
    dataset=dict(
        type=DepthListDataset,
        data_root=data_root,
        ann_file='ImageSets/Depth/train.txt',
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
        ann_file='ImageSets/Depth/val.txt',
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type=DepthMetric, max_depth=max_depth, crop='none', average='image')
test_evaluator = val_evaluator
auto_scale_lr = dict(enable=False, base_batch_size=8)
