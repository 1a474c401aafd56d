"""The toy world: a small data set that the project makes itself.

Textured objects of eight classes in a room, as stills (VOC, COCO and depth annotations) and as
clips; see ``docs/toy_world.md``.
"""

from semcl_mm.datasets.toy.classes import OBJECT_CLASSES, TOY_CLASSES, TOY_PALETTE, voc_palette
from semcl_mm.datasets.toy.parameters import ToyParameters
from semcl_mm.datasets.toy.world import make_toy_world

__all__ = [
    'OBJECT_CLASSES',
    'TOY_CLASSES',
    'TOY_PALETTE',
    'ToyParameters',
    'make_toy_world',
    'voc_palette',
]
