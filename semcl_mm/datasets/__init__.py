"""Data sets, their samplers and what is made from their files."""

from .drawn_dataset import DrawnDataset
from .frame_pairs import FramePairDataset
from .frame_sources import FrameFolders, FrameList, StillFrames
from .image_sources import CocoImages, ImageFolder, ImageList
from .pair_dataset import PairDataset
from .pair_index import PairIndex, PairIndexError, PairRecord
from .samplers import PairDraw, PairSampler
from .video_frames import VideoFiles
from .view_dataset import ViewDataset
from .view_recipe import (
    BYOL_VIEWS,
    MOCO_VIEWS,
    SEMCL_VIEWS,
    SIMCLR_VIEWS,
    TOY_VIEWS,
    ViewRecipe,
)

__all__ = [
    'BYOL_VIEWS',
    'MOCO_VIEWS',
    'SEMCL_VIEWS',
    'SIMCLR_VIEWS',
    'TOY_VIEWS',
    'CocoImages',
    'DrawnDataset',
    'FrameFolders',
    'FrameList',
    'FramePairDataset',
    'ImageFolder',
    'ImageList',
    'PairDataset',
    'PairDraw',
    'PairIndex',
    'PairIndexError',
    'PairRecord',
    'PairSampler',
    'StillFrames',
    'VideoFiles',
    'ViewDataset',
    'ViewRecipe',
]
