"""Downstream tasks: the only place that imports mmseg and mmdet."""

from . import depth
from .cityscapes import CityscapesSplits, CityscapesSubmission
from .contrast_segmentor import (
    ContrastCascadeEncoderDecoder,
    ContrastEncoderDecoder,
    PixelContrastMixin,
    without_contrast,
)
from .frozen_backbone import FrozenEncoderDecoder
from .label_subset import LabelSubset
from .layer_decay import (
    LayerDecayOptimWrapperConstructor,
    LayeredEncoderDecoder,
    LayeredMixin,
)
from .linear_head import LinearHead
from .pixel_contrast_head import PixelContrastHead
from .segmentation import (
    CamVidDataset,
    CheckedImage,
    CheckedSegAnnotations,
    RandomScale,
    ToySegDataset,
)

__all__ = [
    'CamVidDataset',
    'CheckedImage',
    'CheckedSegAnnotations',
    'CityscapesSplits',
    'CityscapesSubmission',
    'ContrastCascadeEncoderDecoder',
    'ContrastEncoderDecoder',
    'FrozenEncoderDecoder',
    'LabelSubset',
    'LayerDecayOptimWrapperConstructor',
    'LayeredEncoderDecoder',
    'LayeredMixin',
    'LinearHead',
    'PixelContrastHead',
    'PixelContrastMixin',
    'RandomScale',
    'ToySegDataset',
    'depth',
    'without_contrast',
]
