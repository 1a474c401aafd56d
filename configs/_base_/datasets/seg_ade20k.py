"""ADE20K (ADEChallengeData2016): 20,210 train and 2,000 val images, 150 classes; 0 is unlabelled.

Four GPUs x 4 images.
"""

from mmcv.transforms import RandomFlip, RandomResize, Resize
from mmengine.dataset import DefaultSampler, InfiniteSampler
from mmseg.datasets import ADE20KDataset, PackSegInputs, PhotoMetricDistortion, RandomCrop
from mmseg.evaluation import IoUMetric

from semcl_mm.downstream import CheckedImage, CheckedSegAnnotations

data_root = 'data/ade/ADEChallengeData2016'
num_classes = 150
crop_size = (512, 512)

train_pipeline = [
    dict(type=CheckedImage),
    dict(type=CheckedSegAnnotations, num_classes=num_classes),
    dict(type=RandomResize, scale=(2048, 512), ratio_range=(0.5, 2.0), keep_ratio=True),
    dict(type=RandomCrop, crop_size=crop_size, cat_max_ratio=0.75),
    dict(type=RandomFlip, prob=0.5),
    dict(type=PhotoMetricDistortion),
    dict(type=PackSegInputs),
]
test_pipeline = [
    dict(type=CheckedImage),
    dict(type=Resize, scale=(2048, 512), keep_ratio=True),
    dict(type=CheckedSegAnnotations, num_classes=num_classes),
    dict(type=PackSegInputs),
]
expected_samples = dict(train=20_210, val=2000)
train_dataloader = dict(
    batch_size=4,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type=InfiniteSampler, shuffle=True),
    dataset=dict(
        type=ADE20KDataset,
        data_root=data_root,
        data_prefix=dict(img_path='images/training', seg_map_path='annotations/training'),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type=DefaultSampler, shuffle=False),
    dataset=dict(
        type=ADE20KDataset,
        data_root=data_root,
        data_prefix=dict(img_path='images/validation', seg_map_path='annotations/validation'),
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type=IoUMetric, iou_metrics=['mIoU'])
test_evaluator = val_evaluator
auto_scale_lr = dict(enable=False, base_batch_size=16)
