"""Depth maps of several checkpoints beside the ground truth, in metres, with a colour bar."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from mmengine.registry import DATASETS, METRICS

from semcl_mm.downstream.depth import DepthMetric
from semcl_mm.engine.config_file import read_config
from semcl_mm.engine.data_paths import require_data_paths

from .predictions import evenly_spaced, load_model, names_of, predict

__all__ = ['draw_depth_maps']

COLOURS = 'turbo_r'  # near is red; its far end is dark, so that what lies beyond must not be
UNKNOWN, NEARER, FARTHER = 'black', 'hotpink', 'white'


def draw_depth_maps(
    config: str | Path,
    checkpoints: Sequence[str | Path],
    names: Sequence[str] | None = None,
    num: int = 5,
    trust: bool = False,
) -> Figure:
    """One row per image: the image, the ground truth, each checkpoint's prediction, a colour bar.

    All maps of a row share one scale: 2nd to 98th percentile of the known true depths (of the
    predictions where none is known). What is nearer or farther than that is pink or white, and
    unknown true depth black, as a legend says.

    Args:
        config: Of a depth estimator; its validation images are shown.
        checkpoints: Of its trainings.
        names: A title each (default: the files' folders).
        num: Images, evenly spaced over the split.
        trust: Unpickle files even if that may run code.

    Raises:
        ValueError: The config is no depth estimator's, or a checkpoint of another model.
    """
    names = names_of(checkpoints, names)
    cfg = read_config(config)
    metric = METRICS.build(cfg.val_evaluator) if cfg.get('val_evaluator') else None
    if not isinstance(metric, DepthMetric):
        raise ValueError(f'{config}: val_evaluator is no DepthMetric: no depth config?')
    require_data_paths(cfg.val_dataloader.dataset, 'val_dataloader.dataset')
    samples = evenly_spaced(DATASETS.build(cfg.val_dataloader.dataset), num)
    predictions = []
    for file in checkpoints:
        results = predict(load_model(cfg, file, trust), samples)
        predictions.append([result.pred_depth_map.data[0] for result in results])
    return _draw(samples, predictions, names, metric)


def _abs_rel(metric: DepthMetric, prediction: torch.Tensor, truth: torch.Tensor) -> str:
    """A caption: the error of one map."""
    if not ((truth > metric.min_depth) & (truth < metric.max_depth)).any():
        return 'no ground truth'
    maps = dict(pred_depth_map=prediction, gt_depth_map=truth)
    metric.results.clear()
    metric.process({}, [{key: dict(data=value[None]) for key, value in maps.items()}])
    if not metric.results[0][0]:
        return 'no ground truth in the crop'
    return f'AbsRel {metric.compute_metrics(metric.results)["AbsRel"]:.3f}'


def _draw(
    samples: list[dict],
    predictions: list[list[torch.Tensor]],
    names: list[str],
    metric: DepthMetric,
) -> Figure:
    titles = ['image', 'ground truth', *names]
    height, width = samples[0]['inputs'].shape[1:]
    size = (
        2.8 * len(titles) + 0.9,
        2.8 * height / width * len(samples) + 0.25 * len(samples) + 0.75,
    )
    figure = Figure(figsize=size, layout='constrained')
    axes = figure.subplots(len(samples), len(titles), squeeze=False)
    colours = matplotlib.colormaps[COLOURS].copy()
    colours.set_extremes(bad=UNKNOWN, under=NEARER, over=FARTHER)
    for row, sample in enumerate(samples):
        truth = sample['data_samples'].gt_depth_map.data[0]
        maps = [prediction[row] for prediction in predictions]
        known = truth[truth > 0] if (truth > 0).any() else torch.cat([m.flatten() for m in maps])
        low, high = np.percentile(known.numpy(), (2, 98))
        captions = [_abs_rel(metric, depth, truth) for depth in maps]
        axes[row, 0].imshow(sample['inputs'].flip(0).permute(1, 2, 0).numpy())
        shown = [np.ma.masked_equal(truth.numpy(), 0), *(m.numpy() for m in maps)]
        for axis, depth in zip(axes[row, 1:], shown, strict=True):
            drawn = axis.imshow(depth, cmap=colours, vmin=low, vmax=high, interpolation='nearest')
        figure.colorbar(drawn, ax=axes[row], label='metres', fraction=0.05, pad=0.01, extend='both')
        for axis, caption in zip(axes[row], ['', '', *captions], strict=True):
            axis.set_xlabel(caption, fontsize=8)
            axis.set_xticks([])
            axis.set_yticks([])
    for axis, title in zip(axes[0], titles, strict=True):
        axis.set_title(title, fontsize=10)
    meanings = {UNKNOWN: 'unknown', NEARER: 'nearer than the scale', FARTHER: 'farther'}
    patches = [Patch(fc=colour, ec='0.5', label=text) for colour, text in meanings.items()]
    figure.legend(handles=patches, loc='outside lower center', ncols=3, fontsize=8, frameon=False)
    return figure
