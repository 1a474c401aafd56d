"""The bridge between files of weights and backbones.

Any known file in, checked tensor by tensor; our files out to timm, torchvision and safetensors.
"""

from semcl_mm.checkpoint.errors import (
    CheckpointError,
    CheckpointMismatch,
    UnreadableCheckpoint,
    UnsafeCheckpoint,
)
from semcl_mm.checkpoint.files import file_sha256, load_file, save_checkpoint
from semcl_mm.checkpoint.layouts import detect_layout
from semcl_mm.checkpoint.loading import backbone_state, load_backbone
from semcl_mm.checkpoint.report import LoadReport

__all__ = [
    'CheckpointError',
    'CheckpointMismatch',
    'LoadReport',
    'UnreadableCheckpoint',
    'UnsafeCheckpoint',
    'backbone_state',
    'detect_layout',
    'file_sha256',
    'load_backbone',
    'load_file',
    'save_checkpoint',
]
