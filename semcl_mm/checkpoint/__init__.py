"""The bridge between files of weights and backbones.

Any known file in, checked tensor by tensor; our files out to timm, torchvision and safetensors.
"""

from semcl_mm.checkpoint.encoder import backbone_state
from semcl_mm.checkpoint.errors import (
    CheckpointError,
    CheckpointMismatch,
    UnreadableCheckpoint,
    UnsafeCheckpoint,
)
from semcl_mm.checkpoint.exporting import check_export, export, export_state
from semcl_mm.checkpoint.files import file_sha256, load_file, save_checkpoint
from semcl_mm.checkpoint.layouts import detect_layout
from semcl_mm.checkpoint.loading import load_backbone
from semcl_mm.checkpoint.publishing import convert, publish
from semcl_mm.checkpoint.report import LoadReport
from semcl_mm.checkpoint.whole_model import load_whole_model

__all__ = [
    'CheckpointError',
    'CheckpointMismatch',
    'LoadReport',
    'UnreadableCheckpoint',
    'UnsafeCheckpoint',
    'backbone_state',
    'check_export',
    'convert',
    'detect_layout',
    'export',
    'export_state',
    'file_sha256',
    'load_backbone',
    'load_file',
    'load_whole_model',
    'publish',
    'save_checkpoint',
]
