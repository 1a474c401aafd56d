#!/usr/bin/env python
"""Draw what a pretraining matches between two views, or which places look alike to it.

``matches`` (the counterpart of Fig. 2 of PixCon's supplement): a row is a photo, a pair of columns
a checkpoint. Of the cells of view 1 that view 2 shows too, those that are least similar to their
match are drawn, with that similarity; in view 2 a dot is the match and a ring, joined to it, the
true place. The error is the mean distance of matches and true places, in cells. ``alike`` (its
Fig. 1): the similarity of one place, marked by a cross, with all of the photo::

    tools/visualization/match_views.py matches configs/pixcon/toy.py random CKPT --out matches.png
    tools/visualization/match_views.py alike configs/pixcon/toy.py random CKPT --at 0.3 0.6 \\
        --out alike.png
"""

import argparse
from pathlib import Path

import matplotlib

matplotlib.use('Agg')

import matplotlib.pyplot as plt
import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import DATASETS, MODELS
from torch import Tensor, nn

from semcl_mm.analysis.pictures import save_picture
from semcl_mm.checkpoint import load_backbone
from semcl_mm.cli import user_errors
from semcl_mm.datasets import PairDraw, ViewDataset, ViewRecipe
from semcl_mm.datasets.crops import central_crop, cut, to_planes
from semcl_mm.datasets.photo_files import read_rgb
from semcl_mm.losses import match_by_similarity
from semcl_mm.losses.similarity import normalise
from semcl_mm.models.matches import rows
from semcl_mm.models.projectors import deepest
from semcl_mm.models.view_geometry import in_box, nearest_cells

FORMATS = ('.png', '.jpg', '.pdf', '.svg', '.webp')
RANDOM = 'random'


def main(arguments: list[str] | None = None) -> None:
    """Read the options, draw, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('what', choices=('matches', 'alike'))
    parser.add_argument('config', help='config of a pretraining on views')
    parser.add_argument('checkpoints', nargs='+', help=f'files, or {RANDOM!r} for a random start')
    parser.add_argument('--out', required=True, type=Path, help='picture to write')
    parser.add_argument('--num', type=int, default=4, help='number of photos')
    parser.add_argument('--size', type=int, default=256, help='side of a view in pixels')
    parser.add_argument('--queries', type=int, default=5, help='matches drawn of a photo')
    parser.add_argument('--at', type=float, nargs=2, default=(0.5, 0.5), metavar=('X', 'Y'),
                        help='the place that is compared, in 0..1 of the view')  # fmt: skip
    parser.add_argument('--labels', nargs='+', help='a title for each checkpoint')
    parser.add_argument('--seed', type=int, default=0, help='seed of photos and views')
    args = parser.parse_args(arguments)
    with user_errors():
        labels = checked_labels(args)
        cfg = Config.fromfile(args.config)
        views = open_views(cfg, args)
        photos = np.random.default_rng(args.seed).permutation(len(views))[: args.num].tolist()
        finish = MODELS.build(cfg.model.data_preprocessor)
        finish.photometry = False  # the views come out of the data set finished
        backbones = [load(cfg, checkpoint, args.seed) for checkpoint in args.checkpoints]
        draw = draw_matches if args.what == 'matches' else draw_alike
        figure = draw(views, photos, finish, backbones, labels, args)
        save_picture(figure, args.out)
        print(args.out)


def checked_labels(args: argparse.Namespace) -> list[str]:
    """Titles of the columns.

    Raises:
        ValueError: an option is out of range.
    """
    if min(args.num, args.queries) < 1 or args.size < 32:
        raise ValueError('--num and --queries must be at least 1, --size at least 32')
    if not all(0 <= place < 1 for place in args.at):
        raise ValueError(f'--at {args.at}: both must be in [0, 1)')
    if args.out.suffix.lower() not in FORMATS:
        raise ValueError(f'--out {args.out}: the name must end in one of {FORMATS}')
    labels = args.labels or [Path(checkpoint).stem for checkpoint in args.checkpoints]
    if len(labels) != len(args.checkpoints):
        raise ValueError(f'{len(labels)} --labels for {len(args.checkpoints)} checkpoints')
    return labels


def open_views(cfg: Config, args: argparse.Namespace) -> ViewDataset:
    """The config's data set, with views of the wanted size."""
    dataset = cfg.get('train_dataloader', {}).get('dataset', {})
    kind = dataset.get('type', '')  # a class, or its name in a config that was written out
    name = getattr(kind, '__name__', kind).rpartition('.')[2]
    if name != ViewDataset.__name__ or len(ViewRecipe.parse(dataset['views'])) != 2:
        raise ValueError(f'{args.config}: train_dataloader.dataset is no ViewDataset of two views')
    options = dict(
        size=args.size, photometry='worker', min_overlap=dataset.get('min_overlap') or 0.01
    )
    return DATASETS.build({**dataset, **options})


def load(cfg: Config, checkpoint: str, seed: int) -> nn.Module:
    """The config's backbone with the weights of a file, for inference."""
    torch.manual_seed(seed)
    backbone = MODELS.build(cfg.model.backbone)
    backbone.init_weights()
    if checkpoint != RANDOM:
        load_backbone(backbone, checkpoint)
    backbone.eval()
    return backbone


@torch.no_grad()
def features(backbone: nn.Module, images: Tensor) -> Tensor:
    """Maps (B, C, h, w) of normalised images."""
    return deepest(backbone(images))


def draw_matches(
    views: ViewDataset, photos: list[int], finish: nn.Module, backbones: list, labels: list, args
) -> plt.Figure:
    """Both views of each photo, once per checkpoint, with matches in equal colours."""
    figure, axes = canvas(len(photos), 2 * len(backbones))
    colours = plt.get_cmap('tab10').colors
    for row, photo in enumerate(photos):
        item = views[PairDraw(photo, row, args.seed)]
        batch = finish.finish(dict(inputs=[view[None] for view in item['inputs']]))
        boxes, flipped = torch.from_numpy(item['boxes'])[:, None], item['flipped']
        for column, (backbone, label) in enumerate(zip(backbones, labels, strict=True)):
            maps = [features(backbone, view) for view in batch]
            grid = maps[0].shape[-2:]
            index, similarity = match_by_similarity(rows(maps[0]), rows(maps[1]))
            inside = in_box(boxes[0], *grid, 'center')[0]
            mirrored = torch.tensor([bool(flipped[0] != flipped[1])])
            truth = nearest_cells(boxes[0], boxes[1], mirrored, *grid)[0]
            error = cell_distance(index[0], truth, grid[1])
            order = torch.where(inside, similarity[0], torch.inf).argsort()
            chosen = order[: min(args.queries, int(inside.sum()))]
            pair = axes[row, 2 * column : 2 * column + 2]
            for axis, view in zip(pair, item['inputs'], strict=True):
                axis.imshow(view.permute(1, 2, 0))
            for number, cell in enumerate(chosen.tolist()):
                style = dict(color=colours[number % 10], ms=11 - 6 * number / args.queries)
                x, y = centre(cell, grid, args.size)
                pair[0].plot(x, y, 'o', mec='white', **style)
                pair[0].text(x + 8, y, f'{similarity[0, cell]:.2f}', color='white', fontsize=7)
                match = centre(int(index[0, cell]), grid, args.size)
                true = centre(int(truth[cell]), grid, args.size)
                pair[1].plot(*zip(match, true, strict=True), '-', lw=1, color=style['color'])
                pair[1].plot(*true, 'o', mfc='none', mew=1.5, **style)
                pair[1].plot(*match, 'o', mec='white', **style)
            mean = error[inside].float().mean().item() if inside.any() else float('nan')
            pair[0].set_title(f'{label}: view 1' if row == 0 else '', fontsize=9, loc='left')
            pair[1].set_title(f'error {mean:.1f} of {grid[1]} cells', fontsize=8, loc='left')
    return figure


def draw_alike(
    views: ViewDataset, photos: list[int], finish: nn.Module, backbones: list, labels: list, args
) -> plt.Figure:
    """Each photo with its cross, and how similar everything is to that place."""
    figure, axes = canvas(len(photos), 1 + len(backbones))
    for row, photo in enumerate(photos):
        image = read_rgb(views.images.path(photo))
        crop = central_crop(views.views[0], *image.shape[:2], args.size, flip=False)
        view = to_planes([cut(image, crop, args.size)])
        (batch,) = finish.finish(dict(inputs=[view]))
        for axis in axes[row]:
            axis.imshow(view[0].permute(1, 2, 0))
        axes[row, 0].plot(*(args.size * place for place in args.at), '+', color='red', ms=12, mew=2)
        for axis, backbone, label in zip(axes[row, 1:], backbones, labels, strict=True):
            maps = normalise(features(backbone, batch)[0].permute(1, 2, 0))
            height, width = maps.shape[:2]
            x, y = int(args.at[0] * width), int(args.at[1] * height)
            cosine = maps @ maps[y, x]
            axis.imshow(
                cosine, extent=(0, args.size, args.size, 0), alpha=0.65, cmap='viridis',
                interpolation='bilinear', vmin=cosine.min(), vmax=1,
            )  # fmt: skip
            axis.set_title(f'{label} (from {cosine.min():.2f})', fontsize=8, loc='left')
    return figure


def canvas(height: int, width: int) -> tuple[plt.Figure, np.ndarray]:
    """A grid of pictures without axes."""
    figure, axes = plt.subplots(
        height, width, figsize=(2.3 * width, 2.5 * height), squeeze=False, layout='constrained'
    )
    for axis in axes.flat:
        axis.set_axis_off()
    return figure, axes


def cell_distance(one: Tensor, two: Tensor, width: int) -> Tensor:
    """Distance of cells (S,) on a grid of ``width`` columns, in cells."""
    return torch.hypot((one % width - two % width).float(), (one // width - two // width).float())


def centre(cell: int, grid: tuple[int, int], size: int) -> tuple[float, float]:
    """Where a cell's centre is drawn."""
    return (cell % grid[1] + 0.5) / grid[1] * size, (cell // grid[1] + 0.5) / grid[0] * size


if __name__ == '__main__':
    main()
