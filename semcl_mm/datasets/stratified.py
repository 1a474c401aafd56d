"""Choosing a part of a data set that shows the classes as often as the whole does."""

import math
import random
from collections.abc import Sequence

import numpy as np

__all__ = ['stratified_order', 'subset_size']

_CANDIDATES = 64


def subset_size(images: int, fraction: float) -> int:
    """How many images a fraction is: rounded half up, at least one.

    Of Cityscapes' 2,975: 30, 149, 298 and 2,975 for 0.01, 0.05, 0.1 and 1 (CACL, Table 4).

    Raises:
        ValueError: ``fraction`` is outside (0, 1].
    """
    if not 0 < fraction <= 1:
        raise ValueError(f'fraction must be in (0, 1], got {fraction}')
    return max(1, math.floor(fraction * images + 0.5 + 1e-9))


def stratified_order(
    presence: np.ndarray, names: Sequence[str], size: int, seed: int = 0
) -> list[int]:
    """The first ``size`` images of an order each beginning of which is stratified.

    Smaller subsets lie within larger ones, whatever their sizes, since all are beginnings of one
    order. Image n of it is, of random candidates (an eighth as many as there are images, at most
    64, so that seeds differ), the one that keeps the chi-square distance

        sum over classes c of (images chosen with c - n * p_c)^2 / p_c

    smallest, where p_c is the share of all images that show class c: rare classes weigh most, and
    one enters as soon as half an image of it is due. Of equal candidates the one drawn first is
    taken. The draws come from Python's generator, whose numbers do not change between versions,
    over the images sorted by name: the order of files on a disk has no say.

    Args:
        presence: (N, C) bool, which image shows which class. Classes that no image shows do not
            count.
        names: N different names.
        size: Length of the beginning, at most N.
        seed: Seed of the candidates.

    Returns:
        Positions of images, in the order of choice.

    Raises:
        ValueError: The arguments do not fit together, or a name occurs twice.
    """
    if len(names) != len(presence) or not 1 <= size <= len(names):
        raise ValueError(f'{len(presence)} images, {len(names)} names and size {size} do not fit')
    if len(set(names)) < len(names):
        raise ValueError('two images have one name: their order would depend on the disk')
    presence = presence[:, presence.any(axis=0)].astype(float)
    share = presence.mean(axis=0)
    left = sorted(range(len(names)), key=names.__getitem__)
    candidates = max(1, min(_CANDIDATES, len(left) // 8))
    chosen, shown = [], np.zeros_like(share)
    draw = random.Random(seed)
    for number in range(1, size + 1):
        places = [int(draw.random() * len(left)) for _ in range(candidates)]
        rows = presence[[left[place] for place in places]]
        # The change of the distance, up to a constant; rounded, so that no machine breaks ties.
        change = (rows * ((2 * (shown - number * share) + 1) / share)).sum(axis=1).round(6)
        place = places[int(change.argmin())]
        chosen.append(left[place])
        shown += presence[left[place]]
        left[place] = left[-1]
        left.pop()
    return chosen
