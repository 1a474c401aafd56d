#!/usr/bin/env python
"""A picture of what several checkpoints of one detection config find, beside the ground truth.

tools/visualization/compare_detections.py CONFIG --checkpoints A.pth B.pth --out picture.png
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib

matplotlib.use('Agg')

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.patches import Patch, Rectangle
from mmengine.config import Config
from mmengine.registry import DATASETS, MODELS

from semcl_mm.checkpoint import load_file
from semcl_mm.cli import user_errors
from semcl_mm.engine.data_paths import require_data_paths


class Objects(NamedTuple):
    """Objects of an image, in its own pixels."""

    boxes: np.ndarray  # (N, 4): x1, y1, x2, y2
    labels: np.ndarray  # (N,)
    scores: np.ndarray | None = None  # (N,); None: the ground truth
    masks: np.ndarray | None = None  # (N, H, W) bool


def main() -> None:
    """Parses the command line, predicts and draws."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config', help='a config under configs/detection/')
    parser.add_argument('--checkpoints', nargs='+', required=True, metavar='CKPT')
    parser.add_argument('--names', nargs='+', help='a title per checkpoint (default: its folder)')
    parser.add_argument('--out', required=True, help='the picture (PNG)')
    parser.add_argument('--num', type=int, default=4, help='images, evenly spaced over the split')
    parser.add_argument('--score', type=float, default=0.5, help='draw what scores at least this')
    parser.add_argument('--split', choices=('train', 'val'), default='val')
    args = parser.parse_args()
    names = args.names or [Path(file).resolve().parent.name for file in args.checkpoints]
    if len(names) != len(args.checkpoints):
        parser.error(f'{len(args.checkpoints)} checkpoints need as many names, got {len(names)}')
    with user_errors():
        cfg = Config.fromfile(args.config)
        dataset = build_dataset(cfg, args.split)
        step = max(1, len(dataset) // args.num)
        samples = [dataset[index] for index in range(0, len(dataset), step)[: args.num]]
        columns = [[ground_truth(sample) for sample in samples]]
        columns += [predict(cfg, file, samples, args.score) for file in args.checkpoints]
        figure = draw(samples, columns, ['ground truth', *names], dataset.metainfo)
        Path(args.out).parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(args.out, dpi=110, bbox_inches='tight')
    print(f'wrote {args.out}')


def build_dataset(cfg: Config, split: str) -> torch.utils.data.Dataset:
    """The images of a split as they are tested."""
    settings = dict(cfg.val_dataloader.dataset)
    if split == 'train':
        source = cfg.train_dataloader.dataset
        source = source.datasets[0] if 'datasets' in source else source
        settings |= dict(ann_file=source.ann_file, data_prefix=source.data_prefix)
    require_data_paths(settings)
    return DATASETS.build(settings)


def ground_truth(sample: dict) -> Objects:
    """The objects that are annotated; crowds and difficult ones are not drawn."""
    truth = sample['data_samples'].gt_instances
    masks = truth.masks.to_ndarray().astype(bool) if 'masks' in truth else None
    return Objects(truth.bboxes.tensor.numpy(), truth.labels.numpy(), masks=masks)


def predict(cfg: Config, checkpoint: str, samples: list[dict], score: float) -> list[Objects]:
    """What the checkpoint finds with at least this score."""
    model = MODELS.build(cfg.model)
    model.load_state_dict(load_file(checkpoint)['state_dict'])
    model.eval()
    found = []
    for sample in samples:
        batch = dict(inputs=[sample['inputs']], data_samples=[sample['data_samples'].clone()])
        with torch.no_grad():
            (result,) = model.test_step(batch)
        kept = result.pred_instances[result.pred_instances.scores >= score].numpy()
        found.append(Objects(kept.bboxes, kept.labels, kept.scores, kept.get('masks')))
    return found


def draw(
    samples: list[dict], columns: list[list[Objects]], titles: Sequence[str], metainfo: dict
) -> plt.Figure:
    """One row per image: the objects of each column painted over the image."""
    palette = np.asarray(metainfo['palette']) / 255
    height, width = samples[0]['data_samples'].ori_shape
    size = (4.2 * len(titles), 4.2 * height / width * len(samples) + 0.9)
    figure, axes = plt.subplots(
        len(samples), len(titles), figsize=size, squeeze=False, layout='constrained'
    )
    for row, sample in enumerate(samples):
        rows, cols = sample['data_samples'].ori_shape
        image = torch.nn.functional.interpolate(
            sample['inputs'].flip(0)[None].float(), (rows, cols), mode='bilinear'
        )[0]
        image = (image.permute(1, 2, 0).numpy() / 255).clip(0, 1)
        for axis, column in zip(axes[row], columns, strict=True):
            paint(axis, image, column[row], palette)
    for axis, title in zip(axes[0], titles, strict=True):
        axis.set_title(title, fontsize=11)
    present = sorted({int(label) for column in columns for o in column for label in o.labels})
    patches = [Patch(color=palette[label], label=metainfo['classes'][label]) for label in present]
    figure.legend(handles=patches, loc='outside lower center', ncols=8, fontsize=8, frameon=False)
    return figure


def paint(axis: plt.Axes, image: np.ndarray, objects: Objects, palette: np.ndarray) -> None:
    """The image (H, W, 3) in [0, 1] with boxes, masks and scores."""
    painted = image.copy()
    for number, label in enumerate(objects.labels):
        colour = palette[label]
        if objects.masks is not None:
            mask = objects.masks[number]
            painted[mask] = 0.5 * painted[mask] + 0.5 * colour
        x1, y1, x2, y2 = objects.boxes[number]
        axis.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, ec=colour, lw=1.4))
        if objects.scores is not None:
            box = dict(facecolor=colour, edgecolor='none', pad=0.6, alpha=0.8)
            axis.text(x1, y1, f'{objects.scores[number]:.2f}', fontsize=6, bbox=box, va='bottom')
    axis.imshow(painted)
    axis.set_axis_off()


if __name__ == '__main__':
    main()
