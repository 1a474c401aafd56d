#!/usr/bin/env python
"""A picture of what several checkpoints of one depth config predict, in metres, with a colour bar.

tools/visualization/compare_depth.py CONFIG --checkpoints A.pth B.pth --out picture.png
"""

import argparse
from pathlib import Path

import matplotlib

matplotlib.use('Agg')

import matplotlib.pyplot as plt
import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import DATASETS, METRICS, MODELS

from semcl_mm.checkpoint import load_file
from semcl_mm.cli import user_errors
from semcl_mm.downstream.depth import DepthMetric

COLOURS = 'turbo_r'  # near is red


def main() -> None:
    """Parses the command line, predicts and draws."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config', help='a config under configs/depth/')
    parser.add_argument('--checkpoints', nargs='+', required=True, metavar='CKPT')
    parser.add_argument('--names', nargs='+', help='a title per checkpoint (default: its folder)')
    parser.add_argument('--out', required=True, help='the picture (PNG)')
    parser.add_argument('--num', type=int, default=5, help='images, evenly spaced over the split')
    parser.add_argument('--trust', action='store_true', help='unpickle even if that may run code')
    args = parser.parse_args()
    names = args.names or [Path(file).resolve().parent.name for file in args.checkpoints]
    if len(names) != len(args.checkpoints):
        parser.error(f'{len(args.checkpoints)} checkpoints need as many names, got {len(names)}')
    if args.num < 1:
        parser.error(f'--num must be at least 1, got {args.num}')
    with user_errors():
        cfg = Config.fromfile(args.config)
        metric = depth_metric(cfg)
        dataset = DATASETS.build(cfg.val_dataloader.dataset)
        chosen = np.linspace(0, len(dataset) - 1, min(args.num, len(dataset))).round().astype(int)
        samples = [dataset[int(index)] for index in chosen]
        predictions = [predict(cfg, file, samples, args.trust) for file in args.checkpoints]
        figure = draw(samples, predictions, names, metric)
        Path(args.out).parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(args.out, dpi=110, bbox_inches='tight')
    print(f'wrote {args.out}')


def depth_metric(cfg: Config) -> DepthMetric:
    """The metric of the config: it says which depths and which part of an image count.

    Raises:
        ValueError: the config evaluates something else.
    """
    metric = METRICS.build(cfg.val_evaluator) if cfg.get('val_evaluator') else None
    if not isinstance(metric, DepthMetric):
        raise ValueError(f'{cfg.filename}: val_evaluator is no DepthMetric: no depth config?')
    return metric


def predict(cfg: Config, checkpoint: str, samples: list[dict], trust: bool) -> list[torch.Tensor]:
    """Depth maps (H, W) in metres that the checkpoint predicts, at the size of the originals.

    Raises:
        ValueError: the checkpoint is of another model.
    """
    model = MODELS.build(cfg.model)
    try:
        model.load_state_dict(load_file(checkpoint, trust=trust)['state_dict'])
    except (KeyError, RuntimeError) as error:
        raise ValueError(f'{checkpoint}: does not fit {cfg.filename}: {error}') from error
    model.eval()
    maps = []
    with torch.no_grad():
        for sample in samples:
            batch = dict(inputs=[sample['inputs']], data_samples=[sample['data_samples'].clone()])
            (result,) = model.test_step(batch)
            maps.append(result.pred_depth_map.data[0])
    return maps


def abs_rel(metric: DepthMetric, prediction: torch.Tensor, truth: torch.Tensor) -> str:
    """A caption: the error of one map."""
    if not ((truth > metric.min_depth) & (truth < metric.max_depth)).any():
        return 'no ground truth'
    maps = dict(pred_depth_map=prediction, gt_depth_map=truth)
    metric.results.clear()
    metric.process({}, [{key: dict(data=value[None]) for key, value in maps.items()}])
    if not metric.results[0][0]:
        return 'no ground truth in the crop'
    return f'AbsRel {metric.compute_metrics(metric.results)["AbsRel"]:.3f}'


def draw(
    samples: list[dict],
    predictions: list[list[torch.Tensor]],
    names: list[str],
    metric: DepthMetric,
) -> plt.Figure:
    """One row per image: the image, the ground truth, each checkpoint's prediction, a colour bar.

    All maps of a row share one scale: 2nd to 98th percentile of the known true depths (of the
    predictions where none is known). Unknown true depth is black.
    """
    titles = ['image', 'ground truth', *names]
    height, width = samples[0]['inputs'].shape[1:]
    size = (
        2.8 * len(titles) + 0.9,
        2.8 * height / width * len(samples) + 0.25 * len(samples) + 0.5,
    )
    figure, axes = plt.subplots(
        len(samples), len(titles), figsize=size, squeeze=False, layout='constrained'
    )
    colours = plt.get_cmap(COLOURS).copy()
    colours.set_bad('black')
    for row, sample in enumerate(samples):
        truth = sample['data_samples'].gt_depth_map.data[0]
        maps = [prediction[row] for prediction in predictions]
        known = truth[truth > 0] if (truth > 0).any() else torch.cat([m.flatten() for m in maps])
        low, high = np.percentile(known.numpy(), (2, 98))
        captions = [abs_rel(metric, depth, truth) for depth in maps]
        axes[row, 0].imshow(sample['inputs'].flip(0).permute(1, 2, 0).numpy())
        shown = [np.ma.masked_equal(truth.numpy(), 0), *(m.numpy() for m in maps)]
        for axis, depth in zip(axes[row, 1:], shown, strict=True):
            drawn = axis.imshow(depth, cmap=colours, vmin=low, vmax=high, interpolation='nearest')
        figure.colorbar(drawn, ax=axes[row], label='metres', fraction=0.05, pad=0.01)
        for axis, caption in zip(axes[row], ['', '', *captions], strict=True):
            axis.set_xlabel(caption, fontsize=8)
            axis.set_xticks([])
            axis.set_yticks([])
    for axis, title in zip(axes[0], titles, strict=True):
        axis.set_title(title, fontsize=10)
    return figure


if __name__ == '__main__':
    main()
