"""What lives in the toy world: eight classes, each a pair of a shape and a texture.

The pairs form a cycle: every shape carries two textures and every texture two shapes. Neither cue
alone names a class, and colour is drawn independently of both.
"""

from typing import NamedTuple

import numpy as np

SHAPES = ('disc', 'box', 'star', 'ring')
TEXTURES = ('stripes', 'dots', 'checks', 'marble')
VOID = 255


class ToyClass(NamedTuple):
    """One class: its name, the family of its outline and the family of its surface."""

    name: str
    shape: str
    texture: str


OBJECT_CLASSES = (
    ToyClass('striped_disc', 'disc', 'stripes'),
    ToyClass('dotted_disc', 'disc', 'dots'),
    ToyClass('dotted_box', 'box', 'dots'),
    ToyClass('checked_box', 'box', 'checks'),
    ToyClass('checked_star', 'star', 'checks'),
    ToyClass('marbled_star', 'star', 'marble'),
    ToyClass('marbled_ring', 'ring', 'marble'),
    ToyClass('striped_ring', 'ring', 'stripes'),
)

TOY_CLASSES = ('background', *(c.name for c in OBJECT_CLASSES))


def voc_palette() -> np.ndarray:
    """The colour map of PASCAL VOC: bit ``3 j + c`` of the index is bit ``7 - j`` of channel c.

    Returns:
        (256, 3) uint8, RGB; index 0 is black and 255 a pale beige.
    """
    index = np.arange(256)[:, None]
    channel = np.arange(3)[None]
    colour = np.zeros((256, 3), np.int64)
    for j in range(8):
        colour |= ((index >> (3 * j + channel)) & 1) << (7 - j)
    return colour.astype(np.uint8)


TOY_PALETTE = tuple(tuple(int(v) for v in c) for c in voc_palette()[: len(TOY_CLASSES)])
