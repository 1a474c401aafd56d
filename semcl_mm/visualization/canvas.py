"""A grid of pictures without axes."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

__all__ = ['grid_of_pictures', 'overlay', 'show_photo']

SIDE = 2.3  # inches


def grid_of_pictures(
    rows: int, columns: int, titles: Sequence[str] = ()
) -> tuple[Figure, np.ndarray]:
    """A figure (no window, nothing to close) and its axes (rows, columns), the first row titled."""
    size = (SIDE * columns, (SIDE + 0.2) * rows)
    figure = Figure(figsize=size, layout='constrained')
    axes = figure.subplots(rows, columns, squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    for axis, title in zip(axes[0], titles, strict=False):
        axis.set_title(title, fontsize=9, loc='left')
    return figure, axes


def show_photo(axis: Axes, photo: Tensor) -> None:
    """Draw a photo (3, S, S), uint8."""
    axis.imshow(photo.permute(1, 2, 0).numpy())


def overlay(axis: Axes, photo: Tensor, values: np.ndarray, **options) -> None:
    """Draw a map (h, w) over a photo (3, S, S)."""
    height, width = photo.shape[-2:]
    show_photo(axis, photo)
    options = dict(alpha=0.6, cmap='viridis', interpolation='bilinear') | options
    axis.imshow(values, extent=(-0.5, width - 0.5, height - 0.5, -0.5), **options)
