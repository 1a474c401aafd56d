"""Data sets, their samplers and what is made from their files."""

from .pair_dataset import PairDataset
from .pair_index import PairIndex, PairIndexError, PairRecord
from .samplers import PairDraw, PairSampler
from .view_recipe import SEMCL_VIEWS, ViewRecipe

__all__ = [
    'SEMCL_VIEWS',
    'PairDataset',
    'PairDraw',
    'PairIndex',
    'PairIndexError',
    'PairRecord',
    'PairSampler',
    'ViewRecipe',
]
