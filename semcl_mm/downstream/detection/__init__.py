"""Object detection and instance segmentation: the only place that imports mmdet.

mmdet needs the compiled ops of mmcv, which nothing else here does: import this where a detector is
wanted, and not from ``semcl_mm.downstream``.
"""

from .annotations import CheckedDetAnnotations
from .aspect_sampler import AspectRatioSampler
from .c4 import C4FasterRCNN, C4ResNet, LastStageHead
from .coco_files import CheckedCOCO, read_coco
from .datasets import (
    CheckedCityscapesDataset,
    CheckedCocoDataset,
    CheckedVOCDataset,
    ToyDetDataset,
)
from .metrics import COCODetectionMetric, VOCDetectionMetric
from .voc_precision import Detections, voc_average_precision

__all__ = [
    'AspectRatioSampler',
    'C4FasterRCNN',
    'C4ResNet',
    'COCODetectionMetric',
    'CheckedCOCO',
    'CheckedCityscapesDataset',
    'CheckedCocoDataset',
    'CheckedDetAnnotations',
    'CheckedVOCDataset',
    'Detections',
    'LastStageHead',
    'ToyDetDataset',
    'VOCDetectionMetric',
    'read_coco',
    'voc_average_precision',
]
