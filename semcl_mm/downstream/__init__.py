"""Downstream tasks: the only place that imports mmseg and mmdet."""

from .segmentation import CamVidDataset, CheckedImage, CheckedSegAnnotations, ToySegDataset

__all__ = ['CamVidDataset', 'CheckedImage', 'CheckedSegAnnotations', 'ToySegDataset']
