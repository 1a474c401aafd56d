"""Downstream tasks: the only place that imports mmseg and mmdet."""

from .contrast_segmentor import (
    ContrastCascadeEncoderDecoder,
    ContrastEncoderDecoder,
    PixelContrastMixin,
    without_contrast,
)
from .frozen_backbone import FrozenEncoderDecoder
from .layer_decay import (
    LayerDecayOptimWrapperConstructor,
    LayeredEncoderDecoder,
    LayeredMixin,
)
from .linear_head import LinearHead
from .pixel_contrast_head import PixelContrastHead
from .segmentation import CamVidDataset, CheckedImage, CheckedSegAnnotations, ToySegDataset

__all__ = [
    'CamVidDataset',
    'CheckedImage',
    'CheckedSegAnnotations',
    'ContrastCascadeEncoderDecoder',
    'ContrastEncoderDecoder',
    'FrozenEncoderDecoder',
    'LayerDecayOptimWrapperConstructor',
    'LayeredEncoderDecoder',
    'LayeredMixin',
    'LinearHead',
    'PixelContrastHead',
    'PixelContrastMixin',
    'ToySegDataset',
    'without_contrast',
]
