"""Batches as a config's loader gives them, without its data: for ``training_step.py``."""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch
from exported_pairs import make_scenes
from mmengine.config import Config
from mmengine.dataset import default_collate, pseudo_collate
from mmengine.structures import PixelData
from mmseg.models import SegDataPreProcessor
from mmseg.structures import SegDataSample
from torch.utils.data import DataLoader

from semcl_mm.datasets import FramePairDataset, PairDataset, StillFrames, ViewDataset
from semcl_mm.registry import DATASETS

PHOTOS = dict(count=4, width=500, height=375, objects=2, suffix='.jpg', palette=True)
UNITS = {PairDataset: 'pairs', FramePairDataset: 'pairs', ViewDataset: 'images'}
IGNORED = 0.05
"""Share of the pixels without a label."""


def unit_of(cfg: Config) -> str:
    """What a sample of the config's training data is."""
    return UNITS.get(cfg.train_dataloader.dataset.type, 'images')


def make_batches(cfg: Config, count: int, pinned: bool) -> list[dict]:
    """Collated batches of the config's batch size.

    Views and pairs come from the config's own data set, on a few made photos; segmentation and
    depth get noise with blocks of labels, in the size of the config's crops.

    Args:
        cfg: Of a pretraining, or of a segmentation or depth task.
        count: Number of batches.
        pinned: Whether they lie in pinned memory, as a run's do where there is a GPU.

    Raises:
        ValueError: The config's data are neither.
    """
    batch_size = cfg.train_dataloader.batch_size
    kind = cfg.train_dataloader.dataset.type
    if kind in UNITS:
        items, collate = _views(cfg, count * batch_size), default_collate
    elif cfg.model.data_preprocessor.type is SegDataPreProcessor:
        items, collate = _labelled(cfg, count * batch_size), pseudo_collate
    else:
        raise ValueError(f'no batches can be made of {kind.__name__}, only of views and of maps')
    return list(DataLoader(items, batch_size, collate_fn=collate, pin_memory=pinned))


def _views(cfg: Config, count: int) -> list[dict]:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, 'photos')
        make_scenes(root, **PHOTOS)
        sources = {
            PairDataset: dict(index=str(root / 'pairs'), data_root=str(root)),
            ViewDataset: dict(images=str(root / 'images')),
            FramePairDataset: dict(frames=dict(type=StillFrames, images=str(root / 'images'))),
        }
        config = cfg.train_dataloader.dataset
        dataset = DATASETS.build({**config, **sources[config.type]})
        return [dataset[number % len(dataset)] for number in range(count)]


def _labelled(cfg: Config, count: int) -> list[dict]:
    height, width = cfg.model.data_preprocessor.size
    heads = cfg.model.decode_head
    head = heads[-1] if isinstance(heads, (list, tuple)) else heads
    items = []
    for number in range(count):
        shape = dict.fromkeys(('img_shape', 'ori_shape', 'pad_shape'), (height, width))
        sample = SegDataSample(metainfo=dict(shape, sample_idx=number))
        if 'max_depth' in head:
            depth = torch.rand(1, height, width) * head.max_depth
            sample.gt_depth_map = PixelData(data=depth)
        else:
            labels = torch.randint(head.num_classes, (1, 8, 8))
            labels = labels.repeat_interleave(-(-height // 8), 1)
            labels = labels.repeat_interleave(-(-width // 8), 2)[:, :height, :width].contiguous()
            labels[torch.rand(labels.shape) < IGNORED] = 255
            sample.gt_sem_seg = PixelData(data=labels)
        image = torch.randint(256, (3, height, width), dtype=torch.uint8)
        items.append(dict(inputs=image, data_samples=sample))
    return items
