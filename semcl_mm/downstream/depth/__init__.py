"""Monocular depth estimation: data sets, heads, estimator and metric, in metres throughout."""

from .bins_head import AdaptiveBinsDepthHead
from .data_sets import (
    CityscapesDepthDataset,
    DepthListDataset,
    KITTIDepthDataset,
    NYUv2DepthDataset,
)
from .estimator import DepthEstimator
from .head_base import DepthHeadMixin
from .heads import LinearDepthHead, UPerDepthHead
from .loading import CheckedDepth, CropKITTI, CropNYUBorder
from .metric import DepthMetric

__all__ = [
    'AdaptiveBinsDepthHead',
    'CheckedDepth',
    'CityscapesDepthDataset',
    'CropKITTI',
    'CropNYUBorder',
    'DepthEstimator',
    'DepthHeadMixin',
    'DepthListDataset',
    'DepthMetric',
    'KITTIDepthDataset',
    'LinearDepthHead',
    'NYUv2DepthDataset',
    'UPerDepthHead',
]
