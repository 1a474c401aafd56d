#!/usr/bin/env python
"""Judge a backbone without training it: nearest neighbours, and a linear probe of fixed features.

tools/knn.py CONFIG --pretrained CKPT                       # pixels and images of a segmentation
tools/knn.py CONFIG --pretrained CKPT --folders TRAIN VAL   # images in one folder per class

CONFIG is that of any segmentation: its backbone, its training images (a limited subset stays one)
and its validation images, both through the pipeline of the validation. Dense features: every pixel
of a validation image gets the class that the nearest cells of training images have (mIoU). Pooled
features: the class with most pixels (accuracy) and the classes that are present (mAP), or the
class of the folder. Without --pretrained the backbone has the random weights of --seed. Prints one
line of JSON; --out writes it to a file too.
"""

import argparse
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.config import Config, DictAction
from mmengine.logging import MMLogger
from mmengine.registry import DATASETS, MODELS
from mmengine.runner import set_random_seed
from torch import Tensor, nn

from semcl_mm.analysis.labelled_features import FeatureReader, ImageFeatures, collect_bank
from semcl_mm.analysis.light_protocols import PROTOCOLS, fit_linear_probe, judge
from semcl_mm.analysis.neighbours import nearest, vote
from semcl_mm.analysis.records import write_json
from semcl_mm.analysis.spread import collapse_metrics
from semcl_mm.checkpoint import load_backbone
from semcl_mm.cli import user_errors
from semcl_mm.datasets import ImageFolder
from semcl_mm.datasets.photo_files import read_rgb
from semcl_mm.engine.config_file import read_config
from semcl_mm.engine.data_paths import require_data_paths


def main(arguments: list[str] | None = None) -> None:
    """Parses the command line, measures and prints."""
    args = _parser().parse_args(arguments)
    with user_errors():
        MMLogger.get_instance('knn', log_level='WARNING')  # not a line per tensor
        cfg = read_config(args.config, args.cfg_options)
        if 'decode_head' not in cfg.model and not args.folders:
            raise ValueError(
                f'{args.config}: its images have no labels; give a segmentation config'
            )
        backbone = load(cfg, args)
        measured = (
            of_folders(backbone, cfg, args) if args.folders else of_pixels(backbone, cfg, args)
        )
        start = args.pretrained or f'random, seed {args.seed}'
        result = dict(config=args.config, backbone=start, **measured)
        if args.out:
            write_json(args.out, result)
    print(json.dumps(result))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog='tools/knn.py', description=__doc__.splitlines()[0])
    parser.add_argument('config', help='of a segmentation')
    parser.add_argument('--pretrained', metavar='CKPT', help='weights of the backbone')
    parser.add_argument('--allow-partial', action='store_true')
    parser.add_argument('--trust', action='store_true', help='unpickle even if that may run code')
    parser.add_argument('--folders', nargs=2, metavar=('TRAIN', 'VAL'), help='folders of classes')
    parser.add_argument('--protocols', nargs='+', choices=PROTOCOLS, default=['knn'])
    parser.add_argument('--neighbours', type=int, default=20, metavar='K')
    parser.add_argument('--temperature', type=float, default=0.07, help='of the votes')
    parser.add_argument('--stage', type=int, default=-1, help='output of the backbone')
    parser.add_argument(
        '--train-images', type=int, default=0, metavar='N', help='evenly spaced; 0: all'
    )
    parser.add_argument('--val-images', type=int, default=0, metavar='N', help='likewise')
    parser.add_argument(
        '--cells', type=int, default=64, metavar='N', help='random cells per training image'
    )
    parser.add_argument('--seed', type=int, default=0, help='of the cells and of random weights')
    parser.add_argument('--out', metavar='FILE', help='write the result to FILE (JSON)')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE')
    return parser


def load(cfg: Config, args: argparse.Namespace) -> nn.Module:
    """The config's backbone in evaluation mode, on the GPU where there is one.

    Raises:
        ValueError: A number of the command line is out of range.
    """
    if min(args.neighbours, args.cells) < 1 or args.temperature <= 0:
        raise ValueError('--neighbours, --cells and --temperature must be positive')
    if min(args.train_images, args.val_images) < 0:
        raise ValueError('--train-images and --val-images must not be negative')
    set_random_seed(args.seed)
    backbone = MODELS.build(cfg.model.backbone)
    if args.pretrained:
        options = dict(allow_partial=args.allow_partial, trust=args.trust)
        load_backbone(backbone, args.pretrained, **options)
    elif hasattr(backbone, 'init_weights'):
        backbone.init_weights()
    backbone.to('cuda' if torch.cuda.is_available() else 'cpu')
    backbone.eval()  # mmpretrain's return nothing
    return backbone


def of_pixels(backbone: nn.Module, cfg: Config, args: argparse.Namespace) -> dict[str, Any]:
    """Metrics of a segmentation's validation images, see ``judge``."""
    pipeline = cfg.val_dataloader.dataset.pipeline
    train = _opened(_with_pipeline(cfg.train_dataloader.dataset, pipeline), 'train_dataloader')
    val = _opened(cfg.val_dataloader.dataset, 'val_dataloader')
    normal = {key: cfg.model.data_preprocessor[key] for key in ('mean', 'std')}
    reader = FeatureReader(backbone, len(val.metainfo['classes']), args.stage, **normal)
    bank = collect_bank(_features(reader, train, args.train_images), args.cells, args.seed)
    metrics = judge(
        bank,
        _features(reader, val, args.val_images),
        args.protocols,
        args.neighbours,
        args.temperature,
    )
    subset = getattr(train, 'label_subset', None)
    return dict(images=len(bank.pooled), cells=len(bank.cells), label_subset=subset, **metrics)


def _opened(config: Mapping, key: str) -> Any:
    require_data_paths(config, f'{key}.dataset')
    return DATASETS.build(config)


def _with_pipeline(config: Mapping, pipeline: list) -> dict:
    """A copy of a data set's config, or of what is wrapped in it, without augmentation."""
    if 'dataset' in config:
        return dict(config, dataset=_with_pipeline(config['dataset'], pipeline))
    return dict(config, pipeline=pipeline)


def _features(reader: FeatureReader, data_set: Any, wanted: int) -> Iterator[ImageFeatures]:
    count = min(wanted or len(data_set), len(data_set))
    for number in range(count):
        yield reader(data_set[number * len(data_set) // count])


def of_folders(backbone: nn.Module, cfg: Config, args: argparse.Namespace) -> dict[str, Any]:
    """Top-1 accuracy of images whose first folder is their class, in per cent."""
    classes = sorted(path.name for path in Path(args.folders[0]).glob('*') if path.is_dir())
    features, labels = [], []
    for folder, wanted in zip(args.folders, (args.train_images, args.val_images), strict=True):
        paths, numbers = _in_classes(folder, classes, wanted)
        features.append(torch.stack([_pooled(backbone, cfg, path, args.stage) for path in paths]))
        labels.append(torch.tensor(numbers))
    targets = F.one_hot(labels[0], len(classes)).float().to(features[0])
    metrics: dict[str, Any] = dict(images=len(labels[0]), classes=len(classes))
    for name in args.protocols:
        if name == 'knn':
            k = min(args.neighbours, len(targets))
            scores = vote(*nearest(features[1], features[0], k), targets, args.temperature)
        else:
            scores = fit_linear_probe(features[0], targets)(features[1])
        hits = (scores.argmax(dim=1).cpu() == labels[1]).double()
        metrics[f'{name}_accuracy'] = float(hits.mean() * 100)
    return {**metrics, **collapse_metrics(features[1])}


def _in_classes(folder: str, classes: list[str], wanted: int) -> tuple[list[str], list[int]]:
    source = ImageFolder(folder)
    count = min(wanted or len(source), len(source))
    paths = [source.path(number * len(source) // count) for number in range(count)]
    numbers = []
    for path in paths:
        name = Path(path).relative_to(folder).parts[0]
        if name not in classes:
            raise ValueError(f'{path}: {name!r} is no class; there are {classes}')
        numbers.append(classes.index(name))
    return paths, numbers


@torch.no_grad()
def _pooled(backbone: nn.Module, cfg: Config, path: str, stage: int) -> Tensor:
    """Mean of the features of the central 224 x 224 pixels, the short side being 256."""
    device = next(backbone.parameters()).device
    image = torch.from_numpy(read_rgb(path)).permute(2, 0, 1)[None].to(device).float()
    factor = 256 / min(image.shape[2:])
    size = [round(side * factor) for side in image.shape[2:]]
    image = F.interpolate(image, size, mode='bilinear', antialias=True, align_corners=False)
    top, left = ((side - 224) // 2 for side in size)
    image = image[:, :, top : top + 224, left : left + 224]
    mean, std = (
        torch.tensor(cfg.model.data_preprocessor[key], device=device)[:, None, None]
        for key in ('mean', 'std')
    )
    maps = backbone((image - mean) / std)
    map_ = maps if isinstance(maps, Tensor) else maps[stage]
    return map_.flatten(2).mean(dim=2)[0].float() if map_.dim() == 4 else map_[0].float()


if __name__ == '__main__':
    main()
