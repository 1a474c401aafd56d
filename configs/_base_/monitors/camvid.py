"""Online kNN, linear probe and collapse metrics on CamVid: ``custom_hooks.append(feature_monitor)`` in a leaf.

64 training and 32 validation images are read, and no label reaches the pretraining.
"""

from mmcv.transforms import Resize
from mmseg.datasets import PackSegInputs

from semcl_mm.downstream import CamVidDataset, CheckedImage, CheckedSegAnnotations
from semcl_mm.engine import FeatureMonitorHook

_images = dict(
    type=CamVidDataset,
    data_root='data/camvid',
    pipeline=[
        dict(type=CheckedImage),
        dict(type=Resize, scale=(480, 360), keep_ratio=True),
        dict(type=CheckedSegAnnotations, num_classes=11),
        dict(type=PackSegInputs),
    ],
)
feature_monitor = dict(
    type=FeatureMonitorHook,
    train=dict(_images, data_prefix=dict(img_path='train', seg_map_path='trainannot')),
    val=dict(_images, data_prefix=dict(img_path='val', seg_map_path='valannot')),
    interval=100,
    train_images=64,
    val_images=32,
)
