"""What a backbone matches between two views, and which places of a photo look alike to it."""

from collections.abc import Sequence

import matplotlib
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
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

    Of the cells of view 1 that view 2 shows too, those that are least similar to their match are
    drawn, with that similarity; in view 2 a dot is the match and a ring, joined to it, the true
    place. The error is the mean distance of matches and true places, in cells.

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
    colours = matplotlib.colormaps['tab10'].colors
    for row, photo in enumerate(photos):
        item = views[PairDraw(photo, row, seed)]
        boxes, flipped = torch.from_numpy(item['boxes'])[:, None], item['flipped']
        for column, backbone in enumerate(backbones):
            pair = axes[row, 2 * column : 2 * column + 2]
            maps = [backbone.maps(backbone.prepare(view[None])).cpu() for view in item['inputs']]
            grid = maps[0].shape[-2:]
            index, similarity = match_by_similarity(rows(maps[0]), rows(maps[1]))
            inside = in_box(boxes[0], *grid, 'center')[0]
            mirrored = torch.tensor([bool(flipped[0] != flipped[1])])
            truth = nearest_cells(boxes[0], boxes[1], mirrored, *grid)[0]
            error = cell_distance(index[0], truth, grid[1])
            order = torch.where(inside, similarity[0], torch.inf).argsort(stable=True)
            chosen = order[: min(queries, int(inside.sum()))]
            for axis, view in zip(pair, item['inputs'], strict=True):
                show_photo(axis, view)
            for number, cell in enumerate(chosen.tolist()):
                style = dict(color=colours[number % 10], ms=11 - 6 * number / queries)
                x, y = centre(cell, grid, views.size)
                pair[0].plot(x, y, 'o', mec='white', **style)
                label(pair[0], x, y, f'{similarity[0, cell]:.2f}', views.size)
                match = centre(int(index[0, cell]), grid, views.size)
                true = centre(int(truth[cell]), grid, views.size)
                pair[1].plot(*zip(match, true, strict=True), '-', lw=1, color=style['color'])
                pair[1].plot(*true, 'o', mfc='none', mew=1.5, **style)
                pair[1].plot(*match, 'o', mec='white', **style)
            mean = error[inside].float().mean().item() if inside.any() else float('nan')
            title = f'{backbone.name}: view 1' if row == 0 else ''
            pair[0].set_title(title, fontsize=9, loc='left')
            pair[1].set_title(f'error {mean:.1f} of {grid[1]} cells', fontsize=8, loc='left')
    return figure


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
            axis.set_title(f'{backbone.name} (from {cosine.min():.2f})', fontsize=8, loc='left')
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
