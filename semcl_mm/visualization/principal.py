"""Dense features as colours: their three principal components are red, green and blue."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from matplotlib.figure import Figure
from torch import Tensor

from semcl_mm.losses.similarity import normalise

from .backbones import ShownBackbone
from .canvas import grid_of_pictures, show_photo

__all__ = ['ColourProjection', 'draw_principal', 'fit_colours']

SHARED = ('checkpoint', 'photo', 'all')
_TAILS = (0.01, 0.99)  # colours span what lies between these quantiles


class ColourProjection(NamedTuple):
    """From features to colours.

    Attributes:
        mean: (C,).
        axes: (C, 3), orthonormal, in the order of the variance that they explain.
        low: (3,) what becomes 0; ``high`` (3,) what becomes 1.
        high: see ``low``.
        explained: Share of the variance along the three axes, in [0, 1].
    """

    mean: Tensor
    axes: Tensor
    low: Tensor
    high: Tensor
    explained: float

    def __call__(self, cells: Tensor) -> Tensor:
        """Colours (..., 3) in [0, 1] of features (..., C)."""
        places = (cells.double() - self.mean) @ self.axes
        return ((places - self.low) / (self.high - self.low).clamp(min=1e-12)).clamp(0, 1).float()


def fit_colours(cells: Tensor) -> ColourProjection:
    """The projection of features (N, C) on the axes of their largest variance.

    Axes have no direction of their own: each points to where its largest entry is positive, so
    that equal features have equal colours.

    Raises:
        ValueError: There are fewer than three channels or fewer than two cells.
    """
    if cells.dim() != 2 or cells.shape[0] < 2 or cells.shape[1] < 3:
        raise ValueError(f'{tuple(cells.shape)}: at least 2 cells of 3 channels have 3 components')
    cells = cells.double()
    mean = cells.mean(dim=0)
    centred = cells - mean
    variance, axes = torch.linalg.eigh(centred.T @ centred)
    variance, axes = variance.flip(0).clamp(min=0), axes.flip(1)[:, :3]
    largest = axes.abs().argmax(dim=0)
    axes = axes * torch.where(axes.gather(0, largest[None]) < 0, -1.0, 1.0)
    places = centred @ axes
    low, high = (torch.quantile(places, tail, dim=0) for tail in _TAILS)
    explained = float(variance[:3].sum() / variance.sum().clamp(min=1e-12))
    return ColourProjection(mean, axes, low, high, explained)


@torch.no_grad()
def draw_principal(
    backbones: Sequence[ShownBackbone], photos: Tensor, shared: str = SHARED[0]
) -> Figure:
    """A row per photo: the photo, then each backbone's unit features as colours.

    Args:
        backbones: Columns.
        photos: (N, 3, S, S) uint8.
        shared: What has one projection: each ``'checkpoint'`` (equal colours of a column are
            equal features), each ``'photo'`` of each checkpoint (the most contrast), or ``'all'``
            (for checkpoints of one training, whose features share axes).

    Raises:
        ValueError: ``shared`` is unknown, or ``'all'`` where widths differ.
    """
    if shared not in SHARED:
        raise ValueError(f'shared={shared!r} must be one of {SHARED}')
    maps = [
        normalise(each.maps(each.prepare(photos)).permute(0, 2, 3, 1)).cpu() for each in backbones
    ]
    if len({each.shape[-1] for each in maps}) > 1 and shared == 'all':
        raise ValueError(f'features of {[each.shape[-1] for each in maps]} channels: share less')
    one = fit_colours(torch.cat([each.flatten(0, 2) for each in maps])) if shared == 'all' else None
    figure, axes = grid_of_pictures(len(photos), 1 + len(backbones), ['photo'])
    for column, (backbone, cells) in enumerate(zip(backbones, maps, strict=True), start=1):
        fitted = one or fit_colours(cells.flatten(0, 2))
        for row, photo in enumerate(photos):
            if shared == 'photo':
                fitted = fit_colours(cells[row].flatten(0, 1))
            show_photo(axes[row, 0], photo)
            axes[row, column].imshow(fitted(cells[row]).numpy(), interpolation='nearest')
            title = f'{backbone.name} ' if row == 0 else ''
            if row == 0 or shared == 'photo':
                title += f'({fitted.explained:.0%} of the variance)'
            axes[row, column].set_title(title, fontsize=9, loc='left')
    return figure
