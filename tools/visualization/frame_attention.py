#!/usr/bin/env python
"""Where a pixel finds itself in another frame, head by head: CACL's Figure 3 for a checkpoint.

    tools/visualization/frame_attention.py configs/cacl/toy.py CKPT --out attention.png

A row is a pair of frames with a random target cell (cross). Over the other frame: the target's
cosine with every cell, in the embeddings of each head. Over the first frame again: where a cycle
through the other frame ends, without the queue. A ring is where a map is greatest; colours span
each map's own range, which is written below it.
"""

import argparse
from pathlib import Path

import matplotlib

matplotlib.use('Agg')

import matplotlib.pyplot as plt
import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import default_collate
from mmengine.registry import DATASETS, MODELS
from torch import Tensor

from semcl_mm.analysis.pictures import save_picture
from semcl_mm.checkpoint import load_file
from semcl_mm.cli import user_errors
from semcl_mm.datasets import PairDraw
from semcl_mm.losses.similarity import normalise
from semcl_mm.models import CACL
from semcl_mm.models.frame_cells import embed_cells

PLAIN = dict(crop='resize_short', flip=0.0)


def main(arguments: list[str] | None = None) -> None:
    """Parses the command line, embeds, draws and writes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config', help='a config of CACL')
    parser.add_argument('checkpoint')
    parser.add_argument('--out', required=True, type=Path, help='the picture (PNG)')
    parser.add_argument('--num', type=int, default=4, help='pairs of frames')
    parser.add_argument('--size', type=int, default=0, help='side in pixels; 0: twice the training')
    parser.add_argument('--seed', type=int, default=0, help='of pairs and targets')
    args = parser.parse_args(arguments)
    with user_errors():
        if args.num < 1 or args.size < 0:
            raise ValueError('--num must be at least 1 and --size not negative')
        cfg = Config.fromfile(args.config)
        model = load_model(cfg, args.checkpoint)
        frames, inputs = load_pairs(cfg, model, args)
        save_picture(draw(frames, *maps_of(model, inputs, args.seed)), args.out)
    print(f'wrote {args.out}: {len(frames)} pairs of frames')


def load_model(cfg: Config, checkpoint: str) -> CACL:
    """The config's model with all weights of the checkpoint, in evaluation mode.

    Raises:
        ValueError: The config is not CACL's, or the checkpoint of another model.
    """
    model = MODELS.build(cfg.model)
    if not isinstance(model, CACL):
        raise ValueError(f'{cfg.filename}: the model is {type(model).__name__}, not CACL')
    state = load_file(checkpoint).get('state_dict', {})
    keys = [key for key in model.state_dict() if not key.startswith('queues.')]
    unfit = [k for k in keys if k not in state or state[k].shape != model.state_dict()[k].shape]
    if unfit:
        raise ValueError(f'{checkpoint} is of another model: {unfit[0]} is missing or differs')
    model.load_state_dict({key: state[key] for key in keys}, strict=False)
    model.train(False)
    return model


def load_pairs(cfg: Config, model: CACL, args: argparse.Namespace) -> tuple[Tensor, list[Tensor]]:
    """Frames (N, 2, 3, S, S), uint8, and what the model makes of them, two of (N, 3, S, S)."""
    dataset = dict(cfg.train_dataloader.dataset, photometry='worker')
    size = args.size or 2 * dataset['size']
    size -= size % model.output_stride
    dataset = DATASETS.build({**dataset, 'views': [PLAIN, PLAIN], 'size': max(size, 1)})
    chosen = np.random.default_rng(args.seed).permutation(len(dataset))[: args.num]
    batch = default_collate([dataset[PairDraw(int(i), 0, args.seed)] for i in chosen])
    return torch.stack(batch['inputs'], dim=1), model.data_preprocessor(batch)['inputs']


@torch.no_grad()
def maps_of(model: CACL, inputs: list[Tensor], seed: int) -> tuple[Tensor, dict[str, Tensor]]:
    """Targets (N, 2) as row and column, and the maps (N, h, w) by their titles."""
    here = embed_cells(model.backbone, model.heads, inputs[0], model.output_stride)
    there = embed_cells(model.target_backbone, model.target_heads, inputs[1], model.output_stride)
    images = torch.arange(len(inputs[0]))
    height, width = (side // model.output_stride for side in inputs[0].shape[-2:])
    cell = torch.randint(height * width, images.shape, generator=torch.manual_seed(seed))
    maps = {}
    for name in here:
        cosine = normalise(here[name]) @ normalise(there[name]).mT
        maps[f'{name} head: next frame'] = cosine[images, cell]
        if name == 'cycle':
            logits = cosine / model.temperature
            ends = logits.softmax(dim=2)[images, cell, None] @ logits.mT.softmax(dim=2)
            maps['cycle: end in the first frame'] = ends[:, 0]
    targets = torch.stack([cell // width, cell % width], dim=1)
    return targets, {title: each.view(-1, height, width) for title, each in maps.items()}


def draw(frames: Tensor, targets: Tensor, maps: dict[str, Tensor]) -> plt.Figure:
    """A row for each pair: its frames, then the maps over the frame that they belong to."""
    columns = 2 + len(maps)
    figure, axes = plt.subplots(
        len(frames), columns, figsize=(2.2 * columns, 2.45 * len(frames)), squeeze=False
    )
    side = frames.shape[-1]
    for row, pair in zip(range(len(frames)), frames.permute(0, 1, 3, 4, 2).numpy(), strict=True):
        titles = ['target', 'next frame', *maps]
        for axis, title in zip(axes[row], titles, strict=True):
            in_first = title == 'target' or title.endswith('first frame')
            axis.imshow(pair[0 if in_first else 1], extent=(0, side, side, 0))
            axis.set_xticks([])
            axis.set_yticks([])
            if row == 0:
                axis.set_title(title, fontsize=8)
            stride = side / next(iter(maps.values())).shape[-1]
            if title in maps:
                values = maps[title][row].numpy()
                axis.imshow(values, extent=(0, side, side, 0), alpha=0.6, interpolation='nearest')
                best = np.unravel_index(values.argmax(), values.shape)
                axis.plot(*centre(best, stride), 'o', ms=9, mfc='none', mec='white', mew=1.5)
                axis.set_xlabel(f'{values.min():.2g} … {values.max():.2g}', fontsize=7)
            if in_first:
                axis.plot(*centre(targets[row].tolist(), stride), 'rx', ms=9, mew=2)
    figure.tight_layout(pad=0.4)
    return figure


def centre(cell: tuple[int, int], stride: float) -> tuple[float, float]:
    """Pixel (x, y) in the middle of a cell (row, column)."""
    return (cell[1] + 0.5) * stride, (cell[0] + 0.5) * stride


if __name__ == '__main__':
    main()
