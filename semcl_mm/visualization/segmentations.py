"""Segmentations of several checkpoints beside the ground truth."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from mmengine.registry import DATASETS

from semcl_mm.engine.config_file import read_config
from semcl_mm.engine.data_paths import require_data_paths

from .predictions import evenly_spaced, load_model, names_of, predict

__all__ = ['draw_segmentations']

IGNORE = 255


def draw_segmentations(
    config: str | Path,
    checkpoints: Sequence[str | Path],
    names: Sequence[str] | None = None,
    num: int = 6,
    trust: bool = False,
) -> Figure:
    """One row per image: the image, the ground truth and each checkpoint's prediction.

    Args:
        config: Of a segmentor; its validation images are shown.
        checkpoints: Of its trainings.
        names: A title each (default: the files' folders).
        num: Images, evenly spaced over the split.
        trust: Unpickle files even if that may run code.

    Raises:
        ValueError: The config is no segmentor's, or a checkpoint of another model.
    """
    names = names_of(checkpoints, names)
    cfg = read_config(config)
    require_data_paths(cfg.val_dataloader.dataset, 'val_dataloader.dataset')
    dataset = DATASETS.build(cfg.val_dataloader.dataset)
    samples = evenly_spaced(dataset, num)
    if 'gt_sem_seg' not in samples[0]['data_samples']:
        raise ValueError(f'{config}: its validation images have no segmentation')
    predictions = [
        [
            each.pred_sem_seg.data[0].numpy()
            for each in predict(load_model(cfg, file, trust), samples)
        ]
        for file in checkpoints
    ]
    return _draw(samples, predictions, names, dataset.metainfo)


def _draw(
    samples: list[dict], predictions: list[list[np.ndarray]], names: list[str], metainfo: dict
) -> Figure:
    palette = np.full((256, 3), 255, np.uint8)
    palette[: len(metainfo['palette'])] = metainfo['palette']
    titles = ['image', 'ground truth', *names]
    height, width = samples[0]['inputs'].shape[1:]
    size = (2.6 * len(titles), 2.6 * height / width * len(samples) + 0.9)
    figure = Figure(figsize=size, layout='constrained')
    axes = figure.subplots(len(samples), len(titles), squeeze=False)
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
    if IGNORE in present:
        patches.append(Patch(facecolor='white', edgecolor='0.5', label='ignored (truth)'))
    figure.legend(handles=patches, loc='outside lower center', ncols=5, fontsize=8, frameon=False)
    return figure
