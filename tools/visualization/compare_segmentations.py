#!/usr/bin/env python
"""A picture of what several checkpoints of one segmentation config predict.

tools/visualization/compare_segmentations.py CONFIG --checkpoints A.pth B.pth --out picture.png
"""

import argparse
from pathlib import Path

import matplotlib

matplotlib.use('Agg')

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.patches import Patch
from mmengine.config import Config
from mmengine.registry import DATASETS, MODELS

from semcl_mm.analysis.pictures import save_picture
from semcl_mm.checkpoint import load_file
from semcl_mm.cli import user_errors

IGNORE = 255


def main() -> None:
    """Parses the command line, predicts and draws."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config', help='a config under configs/segmentation/')
    parser.add_argument('--checkpoints', nargs='+', required=True, metavar='CKPT')
    parser.add_argument('--names', nargs='+', help='a title per checkpoint (default: its folder)')
    parser.add_argument('--out', required=True, help='the picture (PNG)')
    parser.add_argument('--num', type=int, default=6, help='images, evenly spaced over the split')
    args = parser.parse_args()
    names = args.names or [Path(file).resolve().parent.name for file in args.checkpoints]
    if len(names) != len(args.checkpoints):
        parser.error(f'{len(args.checkpoints)} checkpoints need as many names, got {len(names)}')
    with user_errors():
        cfg = Config.fromfile(args.config)
        dataset = DATASETS.build(cfg.val_dataloader.dataset)
        step = max(1, len(dataset) // args.num)
        samples = [dataset[index] for index in range(0, len(dataset), step)[: args.num]]
        predictions = [predict(cfg, file, samples) for file in args.checkpoints]
        figure = draw(samples, predictions, names, dataset.metainfo)
        save_picture(figure, args.out, bbox_inches='tight')
    print(f'wrote {args.out}')


def predict(cfg: Config, checkpoint: str, samples: list[dict]) -> list[np.ndarray]:
    """Label maps (H, W) that the checkpoint predicts, at the size of the original images."""
    model = MODELS.build(cfg.model)
    model.load_state_dict(load_file(checkpoint)['state_dict'])
    model.eval()
    maps = []
    with torch.no_grad():
        for sample in samples:
            batch = dict(inputs=[sample['inputs']], data_samples=[sample['data_samples'].clone()])
            (result,) = model.test_step(batch)
            maps.append(result.pred_sem_seg.data[0].numpy())
    return maps


def draw(
    samples: list[dict], predictions: list[list[np.ndarray]], names: list[str], metainfo: dict
) -> plt.Figure:
    """One row per image: the image, the ground truth and each checkpoint's prediction."""
    palette = np.full((256, 3), 255, np.uint8)
    palette[: len(metainfo['palette'])] = metainfo['palette']
    titles = ['image', 'ground truth', *names]
    height, width = samples[0]['inputs'].shape[1:]
    size = (2.6 * len(titles), 2.6 * height / width * len(samples) + 0.9)
    figure, axes = plt.subplots(
        len(samples), len(titles), figsize=size, squeeze=False, layout='constrained'
    )
    present = set()
    for row, sample in enumerate(samples):
        truth = sample['data_samples'].gt_sem_seg.data[0].numpy()
        image = sample['inputs'].flip(0).permute(1, 2, 0).numpy()
        maps = [truth, *(prediction[row] for prediction in predictions)]
        present.update(np.unique(np.concatenate([m.ravel() for m in maps])).tolist())
        for axis, picture in zip(axes[row], [image, *(palette[m] for m in maps)], strict=True):
            axis.imshow(picture)
            axis.set_axis_off()
    for axis, title in zip(axes[0], titles, strict=True):
        axis.set_title(title, fontsize=10)
    patches = [
        Patch(facecolor=palette[c] / 255, edgecolor='0.5', label=metainfo['classes'][c])
        for c in sorted(present - {IGNORE})
    ]
    figure.legend(handles=patches, loc='outside lower center', ncols=5, fontsize=8, frameon=False)
    return figure


if __name__ == '__main__':
    main()
