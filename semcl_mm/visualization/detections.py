"""What several checkpoints detect, beside the ground truth."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from matplotlib.patheffects import Normal, Stroke
from mmengine.config import Config
from mmengine.registry import DATASETS

from semcl_mm.engine.config_file import read_config
from semcl_mm.engine.data_paths import require_data_paths

from .predictions import evenly_spaced, load_model, names_of, predict

__all__ = ['draw_detections']


class Objects(NamedTuple):
    """Objects of an image, in its own pixels."""

    boxes: np.ndarray  # (N, 4): x1, y1, x2, y2
    labels: np.ndarray  # (N,)
    scores: np.ndarray | None = None  # (N,); None: the ground truth
    masks: np.ndarray | None = None  # (N, H, W) bool


def draw_detections(
    config: str | Path,
    checkpoints: Sequence[str | Path],
    names: Sequence[str] | None = None,
    num: int = 4,
    trust: bool = False,
    score: float = 0.5,
    split: str = 'val',
) -> Figure:
    """One row per image: what is annotated, then what each checkpoint finds, over the image.

    Args:
        config: Of a detector.
        checkpoints: Of its trainings.
        names: A title each (default: the files' folders).
        num: Images, evenly spaced over the split.
        trust: Unpickle files even if that may run code.
        score: Draw what scores at least this, in [0, 1].
        split: ``'val'`` or ``'train'``, as it is tested.

    Raises:
        ValueError: The config is no detector's, or a checkpoint of another model.
    """
    names = names_of(checkpoints, names)
    if not 0 <= score <= 1:
        raise ValueError(f'--score must be in [0, 1], got {score}')
    cfg = read_config(config)
    dataset = _dataset(cfg, split)
    samples = evenly_spaced(dataset, num)
    if 'gt_instances' not in samples[0]['data_samples']:
        raise ValueError(f'{config}: its images have no objects: no detection config?')
    columns = [[_annotated(sample) for sample in samples]]
    for file in checkpoints:
        results = predict(load_model(cfg, file, trust), samples)
        columns.append([_found(result, score) for result in results])
    titles = ['ground truth', *(f'{name} (score from {score:g})' for name in names)]
    return _draw(samples, columns, titles, dataset.metainfo)


def _dataset(cfg: Config, split: str) -> torch.utils.data.Dataset:
    """The images of a split as they are tested."""
    settings = dict(cfg.val_dataloader.dataset)
    if split == 'train':
        source = cfg.train_dataloader.dataset
        source = source.datasets[0] if 'datasets' in source else source
        settings |= dict(ann_file=source.ann_file, data_prefix=source.data_prefix)
    require_data_paths(settings, f'{split}_dataloader.dataset')
    return DATASETS.build(settings)


def _annotated(sample: dict) -> Objects:
    """The objects that are annotated; crowds and difficult ones are not drawn."""
    truth = sample['data_samples'].gt_instances
    masks = truth.masks.to_ndarray().astype(bool) if 'masks' in truth else None
    return Objects(truth.bboxes.tensor.numpy(), truth.labels.numpy(), masks=masks)


def _found(result, score: float) -> Objects:
    kept = result.pred_instances[result.pred_instances.scores >= score].numpy()
    return Objects(kept.bboxes, kept.labels, kept.scores, kept.get('masks'))


def _draw(
    samples: list[dict], columns: list[list[Objects]], titles: Sequence[str], metainfo: dict
) -> Figure:
    palette = np.asarray(metainfo['palette']) / 255
    height, width = samples[0]['data_samples'].ori_shape
    size = (4.2 * len(titles), 4.2 * height / width * len(samples) + 0.9)
    figure = Figure(figsize=size, layout='constrained')
    axes = figure.subplots(len(samples), len(titles), squeeze=False)
    for row, sample in enumerate(samples):
        rows, cols = sample['data_samples'].ori_shape
        image = torch.nn.functional.interpolate(
            sample['inputs'].flip(0)[None].float(), (rows, cols), mode='bilinear'
        )[0]
        image = (image.permute(1, 2, 0).numpy() / 255).clip(0, 1)
        for axis, column in zip(axes[row], columns, strict=True):
            _paint(axis, image, column[row], metainfo)
    for axis, title in zip(axes[0], titles, strict=True):
        axis.set_title(title, fontsize=11)
    present = sorted({int(label) for column in columns for o in column for label in o.labels})
    patches = [Patch(color=palette[label], label=metainfo['classes'][label]) for label in present]
    figure.legend(handles=patches, loc='outside lower center', ncols=8, fontsize=8, frameon=False)
    return figure


def _paint(axis: Axes, image: np.ndarray, objects: Objects, metainfo: dict) -> None:
    """The image (H, W, 3) in [0, 1] with boxes, masks, class names and scores."""
    painted = image.copy()
    for number, label in enumerate(objects.labels):
        colour = np.asarray(metainfo['palette'][label]) / 255
        if objects.masks is not None:
            mask = objects.masks[number]
            painted[mask] = 0.5 * painted[mask] + 0.5 * colour
        x1, y1, x2, y2 = objects.boxes[number]
        outline = [Stroke(linewidth=2.8, foreground='white'), Normal()]  # dark ones on dark ground
        frame = dict(fill=False, ec=colour, lw=1.4, path_effects=outline)
        axis.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, **frame))
        text = metainfo['classes'][label]
        if objects.scores is not None:
            text = f'{text} {objects.scores[number]:.2f}'
        box = dict(facecolor=colour, edgecolor='none', pad=0.6, alpha=0.8)
        ink = 'black' if colour @ (0.299, 0.587, 0.114) > 0.5 else 'white'
        inside = dict(va='top' if y1 < 0.06 * len(image) else 'bottom', clip_on=True)
        at_edge = x1 > 0.7 * image.shape[1]  # its name would leave the panel
        inside |= dict(ha='right', x=min(x2, image.shape[1] - 2)) if at_edge else dict(x=max(x1, 0))
        axis.text(y=y1, s=text, fontsize=6, color=ink, bbox=box, **inside)
    if not len(objects.labels):
        text = 'no object' if objects.scores is None else 'nothing found'
        box = dict(facecolor='white', edgecolor='none', alpha=0.8)
        axis.text(0.5, 0.5, text, transform=axis.transAxes, ha='center', fontsize=8, bbox=box)
    axis.imshow(painted)
    axis.set_axis_off()
