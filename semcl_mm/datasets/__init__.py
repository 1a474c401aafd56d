"""Data sets, their samplers and what is made from their files."""

from .samplers import PairDraw, PairSampler
from .view_recipe import SEMCL_VIEWS, ViewRecipe

__all__ = ['SEMCL_VIEWS', 'PairDraw', 'PairSampler', 'ViewRecipe']
