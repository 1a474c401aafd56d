"""Downstream tasks: the only place that imports mmseg and mmdet."""

from .contrast_segmentor import (
    ContrastCascadeEncoderDecoder,
    ContrastEncoderDecoder,
    PixelContrastMixin,
    without_contrast,
)
from .pixel_contrast_head import PixelContrastHead
from .segmentation import CamVidDataset, CheckedImage, CheckedSegAnnotations, ToySegDataset

__all__ = [
    'CamVidDataset',
    'CheckedImage',
    'CheckedSegAnnotations',
    'ContrastCascadeEncoderDecoder',
    'ContrastEncoderDecoder',
    'PixelContrastHead',
    'PixelContrastMixin',
    'ToySegDataset',
    'without_contrast',
]
