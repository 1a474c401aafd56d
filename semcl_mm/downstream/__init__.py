"""Downstream tasks: the only place that imports mmseg and mmdet."""

from .segmentation import CamVidDataset, CheckedSegAnnotations, ToySegDataset

__all__ = ['CamVidDataset', 'CheckedSegAnnotations', 'ToySegDataset']
