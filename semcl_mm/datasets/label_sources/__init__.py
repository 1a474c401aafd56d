"""One small module for each layout of label data: where images and labels are, and what they mean.

A source tells the builder the objects of one image; it never decides which are large enough.
"""

from semcl_mm.datasets.label_sources.ade20k import ade20k
from semcl_mm.datasets.label_sources.ade20k_full import ade20k_full
from semcl_mm.datasets.label_sources.base import Candidates, Item, LabelSource, MissingLabel
from semcl_mm.datasets.label_sources.cityscapes import cityscapes
from semcl_mm.datasets.label_sources.coco import coco
from semcl_mm.datasets.label_sources.coco_stuff import coco_stuff
from semcl_mm.datasets.label_sources.folder import folder
from semcl_mm.datasets.label_sources.map_source import MapSource
from semcl_mm.datasets.label_sources.voc import voc

__all__ = [
    'Candidates',
    'Item',
    'LabelSource',
    'MapSource',
    'MissingLabel',
    'ade20k',
    'ade20k_full',
    'cityscapes',
    'coco',
    'coco_stuff',
    'folder',
    'voc',
]
