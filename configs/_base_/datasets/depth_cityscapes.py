"""Cityscapes with stereo disparity as ground truth: 2,975 train and 500 val images of 2048 x 1024, up to 80 m.

``leftImg8bit``, ``disparity`` and ``camera``; metres are baseline x focal length / disparity. The papers here do
not say how they evaluate; this is the whole image, per image. Four GPUs x 4 images.
"""

from mmengine.dataset import DefaultSampler, InfiniteSampler
from mmseg.datasets import PackSegInputs, PhotoMetricDistortion, RandomCrop
from mmseg.datasets.transforms import RandomFlip

from semcl_mm.downstream import CheckedImage
from semcl_mm.downstream.depth import CheckedDepth, CityscapesDepthDataset, DepthMetric

data_root = 'data/cityscapes'
max_depth = 80.0
crop_size = (512, 1024)

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
expected_samples = dict(train=2975, val=500)
train_dataloader = dict(
    batch_size=4,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type=InfiniteSampler, shuffle=True),
    dataset=dict(
        type=CityscapesDepthDataset,
        data_root=data_root,
        data_prefix=dict(
            img_path='leftImg8bit/train',
            depth_map_path='disparity/train',
            camera_path='camera/train',
        ),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type=DefaultSampler, shuffle=False),
    dataset=dict(
        type=CityscapesDepthDataset,
        data_root=data_root,
        data_prefix=dict(
            img_path='leftImg8bit/val', depth_map_path='disparity/val', camera_path='camera/val'
        ),
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type=DepthMetric, max_depth=max_depth, crop='none', average='image')
test_evaluator = val_evaluator
auto_scale_lr = dict(enable=False, base_batch_size=16)
