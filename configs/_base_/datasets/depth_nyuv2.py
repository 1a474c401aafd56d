"""NYUv2: 24,231 (BTS) or 47,584 (FastDepth's) training frames and the 654 test images, 640 x 480, up to 10 m.

Scene folders with the lists ``nyu_train.txt`` and ``nyu_test.txt`` (``image depth focal`` per line, 16-bit
millimetres). For mmseg's layout leave ``ann_file`` away and set
``data_prefix=dict(img_path='images/train', depth_map_path='annotations/train')``. Evaluated in Eigen's region,
per image. Four GPUs x 4 images.
"""

from mmengine.dataset import DefaultSampler, InfiniteSampler
from mmseg.datasets import PackSegInputs, PhotoMetricDistortion, RandomCrop
from mmseg.datasets.transforms import RandomFlip, RandomRotate

from semcl_mm.downstream import CheckedImage
from semcl_mm.downstream.depth import CheckedDepth, CropNYUBorder, DepthMetric, NYUv2DepthDataset

data_root = 'data/nyu'
max_depth = 10.0
crop_size = (416, 544)

train_pipeline = [
    dict(type=CheckedImage),
    dict(type=CheckedDepth),
    dict(type=CropNYUBorder),
    dict(type=RandomRotate, prob=0.5, degree=2.5, seg_pad_val=0),
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
expected_samples = dict(train=[24_231, 47_584], val=654)
train_dataloader = dict(
    batch_size=4,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type=InfiniteSampler, shuffle=True),
    dataset=dict(
        type=NYUv2DepthDataset,
        data_root=data_root,
        ann_file='nyu_train.txt',
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type=DefaultSampler, shuffle=False),
    dataset=dict(
        type=NYUv2DepthDataset,
        data_root=data_root,
        ann_file='nyu_test.txt',
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type=DepthMetric, max_depth=max_depth, crop='nyu', average='image')
test_evaluator = val_evaluator
auto_scale_lr = dict(enable=False, base_batch_size=16)
