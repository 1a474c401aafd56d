"""Losses in plain PyTorch: a function that is the mathematics, a module that holds its settings.

Embeddings are scaled to unit length inside, similarities are float32 (float64 for float64 input)
even under autocast, nothing is detached, and a loss for which nothing counts is a zero that still
has its graph. Nothing here imports the engine or talks to other processes.
"""

from semcl_mm.losses.cosine_regression import cosine_regression
from semcl_mm.losses.cycle_attention import CycleAttentionLoss, cycle_attention
from semcl_mm.losses.dense_info_nce import (
    DenseInfoNCELoss,
    dense_info_nce,
    match_by_similarity,
    semantic_weights,
)
from semcl_mm.losses.depth import (
    BerHuLoss,
    GradientSmoothnessLoss,
    SILogLoss,
    berhu,
    gradient_smoothness,
    silog,
)
from semcl_mm.losses.info_nce import InfoNCELoss, info_nce
from semcl_mm.losses.local_to_global import LocalToGlobalInfoNCELoss, local_to_global_info_nce
from semcl_mm.losses.paired_info_nce import PairedInfoNCELoss, paired_info_nce
from semcl_mm.losses.pixel_contrast import PixelContrastLoss, pixel_contrast

__all__ = [
    'BerHuLoss',
    'CycleAttentionLoss',
    'DenseInfoNCELoss',
    'GradientSmoothnessLoss',
    'InfoNCELoss',
    'LocalToGlobalInfoNCELoss',
    'PairedInfoNCELoss',
    'PixelContrastLoss',
    'SILogLoss',
    'berhu',
    'cosine_regression',
    'cycle_attention',
    'dense_info_nce',
    'gradient_smoothness',
    'info_nce',
    'local_to_global_info_nce',
    'match_by_similarity',
    'paired_info_nce',
    'pixel_contrast',
    'semantic_weights',
    'silog',
]
