"""What a backbone matches between two views, and which places of a photo look alike to it."""

from collections.abc import Sequence
from typing import NamedTuple

import matplotlib
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import Normal, Stroke
from mmengine.config import Config
from torch import Tensor

from semcl_mm.datasets import BYOL_VIEWS, PairDraw, ViewDataset, ViewRecipe
from semcl_mm.datasets.image_sources import ImageSource
from semcl_mm.losses import match_by_similarity
from semcl_mm.losses.similarity import normalise
from semcl_mm.models.matches import rows
from semcl_mm.models.view_geometry import in_box, nearest_cells
from semcl_mm.registry import DATASETS

from .backbones import ShownBackbone
from .canvas import grid_of_pictures, overlay, show_photo
from .photos import dataset_type, photo_paths

__all__ = ['draw_alike', 'draw_matches', 'open_views']


def open_views(images: Sequence[str] | None, config: Config | None, size: int = 256) -> ViewDataset:
    """Two overlapping views of each photo: the config's own where it trains on two, else BYOL's.

    Args:
        images: Files and folders; None: the config's photos.
        config: Of any training here.
        size: Side of a view in pixels.
    """
    dataset = config.get('train_dataloader', {}).get('dataset', {}) if config is not None else {}
    options = dict(size=size, photometry='worker', min_overlap=0.01)
    of_views = dataset_type(dataset) == ViewDataset.__name__
    if of_views and len(ViewRecipe.parse(dataset['views'])) == 2:
        options['min_overlap'] = dataset.get('min_overlap') or 0.01
        if images is None:
            return DATASETS.build({**dataset, **options})
        options['views'] = dataset['views']
    source = ImageSource('', photo_paths(images, config), '--images')
    return ViewDataset(source, **{'views': BYOL_VIEWS, **options})


@torch.no_grad()
def draw_matches(
    backbones: Sequence[ShownBackbone],
    views: ViewDataset,
    num: int = 4,
    queries: int = 5,
    seed: int = 0,
) -> Figure:
    """Both views of each photo, once per backbone, with matches in equal colours.

    Of the cells of view 1 that view 2 shows too, those that are least similar to their match in
    the mean of the backbones are drawn, the same for each (of one grid of cells), with its
    similarity; in view 2 a dot is the match and a ring, joined to it, the true place. The error
    is the mean distance of matches and true places of all cells, in cells.

    Args:
        backbones: A pair of columns each.
        views: Data set of two views.
        num: Photos.
        queries: Matches drawn of a photo.
        seed: Of photos and views.
    """
    if min(num, queries) < 1:
        raise ValueError(f'--num and --queries must be at least 1, got {num} and {queries}')
    photos = np.random.default_rng(seed).permutation(len(views))[:num].tolist()
    figure, axes = grid_of_pictures(len(photos), 2 * len(backbones))
    for row, photo in enumerate(photos):
        item = views[PairDraw(photo, row, seed)]
        found = [_match(backbone, item) for backbone in backbones]
        for column, backbone in enumerate(backbones):
            pair = axes[row, 2 * column : 2 * column + 2]
            own = found[column]
            alike = [each.similarity for each in found if each.grid == own.grid]
            chosen = _least_certain(torch.stack(alike).mean(dim=0), own.inside, queries)
            for axis, view in zip(pair, item['inputs'], strict=True):
                show_photo(axis, view)
            _draw_queries(pair, own, chosen, views.size)
            mean = own.error[own.inside].mean().item() if own.inside.any() else float('nan')
            title = f'{backbone.name}: view 1' if row == 0 else ''
            pair[0].set_title(title, fontsize=9, loc='left')
            pair[1].set_title(f'error {mean:.1f} of {own.grid[1]} cells', fontsize=9, loc='left')
    style = dict(ls='none', color='0.3', ms=8)
    handles = [
        Line2D([], [], marker='o', mec='white', label='view 1: place, view 2: its match', **style),
        Line2D([], [], marker='o', mfc='none', mew=1.5, label='view 2: true place', **style),
    ]
    figure.legend(handles=handles, loc='outside lower center', ncols=2, fontsize=8, frameon=False)
    return figure


class _Matches(NamedTuple):
    """Of the cells (S,) of view 1 in a backbone's map."""

    grid: tuple[int, int]
    index: Tensor  # the match in view 2
    similarity: Tensor
    truth: Tensor  # the true place in view 2
    inside: Tensor  # whether view 2 shows it
    error: Tensor  # of the match, in cells


def _match(backbone: ShownBackbone, item: dict) -> _Matches:
    boxes, flipped = torch.from_numpy(item['boxes'])[:, None], item['flipped']
    maps = [backbone.maps(backbone.prepare(view[None])).cpu() for view in item['inputs']]
    grid = tuple(maps[0].shape[-2:])
    index, similarity = match_by_similarity(rows(maps[0]), rows(maps[1]))
    inside = in_box(boxes[0], *grid, 'center')[0]
    mirrored = torch.tensor([bool(flipped[0] != flipped[1])])
    truth = nearest_cells(boxes[0], boxes[1], mirrored, *grid)[0]
    error = cell_distance(index[0], truth, grid[1])
    return _Matches(grid, index[0], similarity[0], truth, inside, error)


def _least_certain(similarity: Tensor, inside: Tensor, most: int) -> list[int]:
    order = torch.where(inside, similarity, torch.inf).argsort(stable=True)
    return order[: min(most, int(inside.sum()))].tolist()


def _draw_queries(pair: Sequence[Axes], found: _Matches, chosen: list[int], size: int) -> None:
    """Each chosen cell in view 1, its match and its true place in view 2."""
    colours = matplotlib.colormaps['tab10'].colors
    for number, cell in enumerate(chosen):
        style = dict(color=colours[number % 10], ms=11 - 6 * number / len(chosen))
        x, y = centre(cell, found.grid, size)
        pair[0].plot(x, y, 'o', mec='white', **style)
        label(pair[0], x, y, f'{found.similarity[cell]:.2f}', size)
        match = centre(int(found.index[cell]), found.grid, size)
        true = centre(int(found.truth[cell]), found.grid, size)
        pair[1].plot(*zip(match, true, strict=True), '-', lw=1, color=style['color'])
        pair[1].plot(*true, 'o', mfc='none', mew=1.5, **style)
        pair[1].plot(*match, 'o', mec='white', **style)


@torch.no_grad()
def draw_alike(
    backbones: Sequence[ShownBackbone], photos: Tensor, at: tuple[float, float] = (0.5, 0.5)
) -> Figure:
    """Each photo with a cross, and the cosine similarity of every cell to the one below it.

    Args:
        backbones: Columns.
        photos: (N, 3, S, S) uint8.
        at: The place (x, y), in [0, 1) of the photo. Colours span each map's own range, up to 1.
    """
    if not all(0 <= place < 1 for place in at):
        raise ValueError(f'--at {list(at)}: both must be in [0, 1)')
    figure, axes = grid_of_pictures(len(photos), 1 + len(backbones), ['photo'])
    for row, photo in enumerate(photos):
        show_photo(axes[row, 0], photo)
        size = photo.shape[-1]
        place = [size * coordinate for coordinate in at]
        for colour, width in (('white', 4), ('red', 2)):  # seen on any ground
            axes[row, 0].plot(*place, '+', color=colour, ms=12, mew=width)
        for axis, backbone in zip(axes[row, 1:], backbones, strict=True):
            cells = backbone.maps(backbone.prepare(photo[None]))[0].permute(1, 2, 0)
            cells = normalise(cells.cpu())
            height, width = cells.shape[:2]
            cosine = cells @ cells[int(at[1] * height), int(at[0] * width)]
            overlay(axis, photo, cosine.numpy(), alpha=0.65, vmin=cosine.min(), vmax=1)
            axis.set_title(f'{backbone.name} (from {cosine.min():.2f})', fontsize=9, loc='left')
    return figure


def label(axis: Axes, x: float, y: float, text: str, size: int) -> None:
    """Write above a marker, below it at the upper edge, legible on any ground."""
    above = y > 0.12 * size
    outline = [Stroke(linewidth=1.5, foreground='black'), Normal()]
    axis.annotate(
        text, (x, y), xytext=(0, 6 if above else -6), textcoords='offset points', ha='center',
        va='bottom' if above else 'top', color='white', fontsize=7, path_effects=outline,
    )  # fmt: skip


def cell_distance(one: Tensor, two: Tensor, width: int) -> Tensor:
    """Distance of cells (S,) on a grid of ``width`` columns, in cells."""
    return torch.hypot((one % width - two % width).float(), (one // width - two // width).float())


def centre(cell: int, grid: tuple[int, int], size: int) -> tuple[float, float]:
    """Where a cell's centre is drawn."""
    return (cell % grid[1] + 0.5) / grid[1] * size, (cell // grid[1] + 0.5) / grid[0] * size
