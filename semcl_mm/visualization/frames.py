"""Where a pixel finds itself in another frame: in CACL's heads, or in any backbone's features."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from mmengine.config import Config
from mmengine.dataset import default_collate
from torch import Tensor

from semcl_mm.checkpoint import load_whole_model
from semcl_mm.datasets import FramePairDataset, PairDraw
from semcl_mm.losses.similarity import normalise
from semcl_mm.models import CACL
from semcl_mm.models.frame_cells import embed_cells
from semcl_mm.models.matches import rows
from semcl_mm.registry import DATASETS, MODELS

from .backbones import RANDOM, ShownBackbone
from .canvas import SIDE
from .photos import dataset_type

__all__ = ['backbone_maps', 'draw_frames', 'head_maps', 'load_cacl', 'read_frames']

PLAIN = dict(crop='resize_short', flip=0.0)
Maps = dict[str, Tensor]


def load_cacl(config: Config, checkpoint: str | Path, seed: int = 0, trust: bool = False) -> CACL:
    """The config's model with all weights of the checkpoint but its queues, for inference.

    Args:
        config: Of CACL.
        checkpoint: Of a training with it; ``'random'`` is the initialisation of the seed.
        seed: See ``checkpoint``.
        trust: Unpickle the file even if that may run code.

    Raises:
        ValueError: The config is not CACL's, or the checkpoint of another model.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = MODELS.build(config.model)
        if not isinstance(model, CACL):
            raise ValueError(
                f'{config.filename}: the model is {type(model).__name__}, not CACL: --backbone '
                'shows any'
            )
        if checkpoint == RANDOM:
            model.init_weights()
        else:
            options = dict(trust=trust, skip='queues.', origin=config.filename)
            load_whole_model(model, checkpoint, **options)
    model.train(False)
    return model


def read_frames(config: Config, num: int, size: int = 0, stride: int = 32, seed: int = 0) -> Tensor:
    """Pairs of frames (N, 2, 3, S, S), uint8, without augmentation.

    Args:
        config: Whose training data are pairs of frames.
        num: Pairs, chosen by the seed.
        size: S, cut to a multiple of ``stride``; 0: twice the training's.
        stride: Pixels per cell.
        seed: Of the choice.

    Raises:
        ValueError: The config trains on something else, or an option is out of range.
    """
    if num < 1 or size < 0:
        raise ValueError('--num must be at least 1 and --size not negative')
    dataset = dict(config.get('train_dataloader', {}).get('dataset', {}))
    if dataset_type(dataset) != FramePairDataset.__name__:
        raise ValueError(f'{config.filename}: train_dataloader.dataset is no FramePairDataset')
    size = size or 2 * dataset['size']
    options = dict(photometry='worker', views=[PLAIN, PLAIN], size=max(size - size % stride, 1))
    dataset = DATASETS.build({**dataset, **options})
    chosen = np.random.default_rng(seed).permutation(len(dataset))[:num]
    batch = default_collate([dataset[PairDraw(int(i), 0, seed)] for i in chosen])
    return torch.stack(batch['inputs'], dim=1)


def draw_targets(images: int, cells: int, seed: int) -> Tensor:
    """A random cell for each image, (N,)."""
    return torch.randint(cells, (images,), generator=torch.Generator().manual_seed(seed))


def _maps(name: str, here: Tensor, there: Tensor, cell: Tensor, temperature: float = 0) -> Maps:
    """Maps (N, L): a cell's cosine in the other frame; with a temperature, its cycle's ends."""
    images = torch.arange(len(cell))
    cosine = normalise(here) @ normalise(there).mT
    maps = {f'{name}: next frame': cosine[images, cell]}
    if temperature:
        logits = cosine / temperature
        ends = logits.softmax(dim=2)[images, cell, None] @ logits.mT.softmax(dim=2)
        maps['cycle: end in the first frame'] = ends[:, 0]
    return maps


@torch.no_grad()
def head_maps(model: CACL, inputs: Sequence[Tensor], seed: int) -> tuple[Tensor, Maps]:
    """What CACL's heads say.

    Args:
        model: In evaluation mode.
        inputs: Both frames, normalised, (N, 3, S, S) each.
        seed: Of the targets.

    Returns:
        Targets (N, 2) as row and column, and maps (N, h, w) by their titles.
    """
    here = embed_cells(model.backbone, model.heads, inputs[0], model.output_stride)
    there = embed_cells(model.target_backbone, model.target_heads, inputs[1], model.output_stride)
    grid = [side // model.output_stride for side in inputs[0].shape[-2:]]
    cell = draw_targets(len(inputs[0]), grid[0] * grid[1], seed)
    maps = {}
    for name in here:
        temperature = model.temperature if name == 'cycle' else 0
        maps |= _maps(f'{name} head', here[name], there[name], cell, temperature)
    return _on_grid(cell, maps, *grid)


@torch.no_grad()
def backbone_maps(
    backbone: ShownBackbone, frames: Tensor, seed: int, temperature: float = 0.07
) -> tuple[Tensor, Maps]:
    """What the features of any backbone say of frames (N, 2, 3, S, S); see :func:`head_maps`."""
    here, there = (backbone.maps(backbone.prepare(frames[:, i])).cpu() for i in (0, 1))
    grid = here.shape[-2:]
    cell = draw_targets(len(frames), grid[0] * grid[1], seed)
    return _on_grid(cell, _maps('backbone', rows(here), rows(there), cell, temperature), *grid)


def _on_grid(cell: Tensor, maps: Maps, height: int, width: int) -> tuple[Tensor, Maps]:
    targets = torch.stack([cell // width, cell % width], dim=1)
    return targets, {title: each.view(-1, height, width) for title, each in maps.items()}


def draw_frames(frames: Tensor, shown: dict[str, tuple[Tensor, Maps]]) -> Figure:
    """For each pair of frames a row per checkpoint: the frames, then the maps over their frame.

    Args:
        frames: (N, 2, 3, S, S) uint8.
        shown: By the checkpoint's name: targets and maps. A cross is the target, a ring where a
            map is greatest; colours span each map's own range, which is written below it.
    """
    columns = ['target', 'next frame', *next(iter(shown.values()))[1]]
    count = len(frames) * len(shown)
    figure = Figure(figsize=(SIDE * len(columns), 2.55 * count), layout='constrained')
    axes = figure.subplots(count, len(columns), squeeze=False)
    side = frames.shape[-1]
    extent = (0, side, side, 0)
    for row, strip in enumerate(axes):
        number, (name, (targets, maps)) = row // len(shown), list(shown.items())[row % len(shown)]
        stride = side / next(iter(maps.values())).shape[-1]
        for axis, title in zip(strip, columns, strict=True):
            in_first = title == 'target' or title.endswith('first frame')
            photo = frames[number, 0 if in_first else 1]
            axis.imshow(photo.permute(1, 2, 0).numpy(), extent=extent)
            axis.set(xticks=[], yticks=[])
            axis.set_title(title if row == 0 else '', fontsize=10)
            if title in maps:
                values = maps[title][number].numpy()
                axis.imshow(values, extent=extent, alpha=0.6, interpolation='nearest')
                best = np.unravel_index(values.argmax(), values.shape)
                axis.plot(*centre(best, stride), 'o', ms=9, mfc='none', mec='white', mew=1.5)
                axis.set_xlabel(f'{values.min():.3g} … {values.max():.3g}', fontsize=9)
            if in_first:
                axis.plot(*centre(targets[number].tolist(), stride), 'rx', ms=9, mew=2)
        strip[0].set_ylabel(name, fontsize=10)
    return figure


def centre(cell: tuple[int, int], stride: float) -> tuple[float, float]:
    """Pixel (x, y) in the middle of a cell (row, column)."""
    return (cell[1] + 0.5) * stride, (cell[0] + 0.5) * stride
