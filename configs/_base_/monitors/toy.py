"""Online kNN, linear probe and collapse metrics on the toy world: ``custom_hooks.append(feature_monitor)`` in a leaf.

64 training and 32 validation images are read, and no label reaches the pretraining.
"""

from mmcv.transforms import Resize
from mmseg.datasets import PackSegInputs

from semcl_mm.downstream import ToySegDataset, CheckedImage, CheckedSegAnnotations
from semcl_mm.engine import FeatureMonitorHook

_images = dict(
    type=ToySegDataset,
    data_root='data/toy',
    pipeline=[
        dict(type=CheckedImage),
        dict(type=Resize, scale=(160, 120), keep_ratio=True),
        dict(type=CheckedSegAnnotations, num_classes=9),
        dict(type=PackSegInputs),
    ],
    data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
)
feature_monitor = dict(
    type=FeatureMonitorHook,
    train=dict(_images, ann_file='ImageSets/Segmentation/train.txt'),
    val=dict(_images, ann_file='ImageSets/Segmentation/val.txt'),
    interval=100,
    train_images=64,
    val_images=32,
)
