#!/usr/bin/env python
"""A t-SNE picture of what pixels are embedded as, class by class, for one checkpoint or several.

tools/visualization/tsne_embeddings.py CONFIG CKPT [CKPT …] --out picture.png [--layer projection]

CONFIG is that of a segmentor. ``--layer projection`` shows the unit embeddings behind the
projection head of pixel contrast, where checkpoint and config have one; ``decoder`` what the
decode head's classifier sees; ``backbone`` the features that the contrast head projects, or the
last stage: of any file that holds a backbone (a pretraining's too), or of ``random`` for the
random start of ``--seed``. With and without contrast: ``--layer decoder``, the config with
contrast, a checkpoint of each. All panels show the same pixels: random ones of evenly spaced
validation images, equally many per class where there are enough. The number above a panel is
measured on the embeddings, not on the picture: the share of a pixel's ten nearest neighbours that
are of its class, classes counted equally.
"""

import argparse
import json
from pathlib import Path

import matplotlib

matplotlib.use('Agg')

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import DATASETS, MODELS
from torch import Tensor, nn

from semcl_mm.analysis.embeddings import class_cosines, neighbour_purity, tsne
from semcl_mm.analysis.pictures import save_picture
from semcl_mm.checkpoint import load_backbone, load_file, load_whole_model
from semcl_mm.cli import user_errors
from semcl_mm.engine.config_file import read_config
from semcl_mm.visualization import RANDOM

LAYERS = ('projection', 'decoder', 'backbone')
HEAD, MEMORY = 'contrast_head.', 'contrast_head.memory.'
IGNORE, NEIGHBOURS = 255, 10


def main(arguments: list[str] | None = None) -> None:
    """Parses the command line, embeds, draws and writes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config')
    parser.add_argument('checkpoints', nargs='+', metavar='checkpoint')
    parser.add_argument('--names', nargs='+', help='a title per checkpoint (default: its folder)')
    parser.add_argument('--out', required=True, type=Path, help='the picture (PNG)')
    parser.add_argument('--layer', choices=LAYERS, default='projection')
    parser.add_argument('--images', type=int, default=20, help='of the validation split')
    parser.add_argument('--pixels', type=int, default=1500, help='of all classes together')
    parser.add_argument('--perplexity', type=float, default=30.0)
    parser.add_argument('--seed', type=int, default=0, help='of pixels and random starts')
    parser.add_argument('--trust', action='store_true', help='unpickle even if that may run code')
    args = parser.parse_args(arguments)
    names = args.names or [
        file if file == RANDOM else Path(file).resolve().parent.name for file in args.checkpoints
    ]
    if len(names) != len(args.checkpoints):
        parser.error(f'{len(args.checkpoints)} checkpoints need as many names, got {len(names)}')
    with user_errors():
        MMLogger.get_instance('visualization', log_level='WARNING')  # not a line per tensor
        if args.images < 1 or args.pixels < 2 * NEIGHBOURS:
            raise ValueError(f'--images must be at least 1 and --pixels {2 * NEIGHBOURS}')
        cfg = read_config(args.config)
        dataset = DATASETS.build(cfg.val_dataloader.dataset)
        step = max(1, len(dataset) // args.images)
        samples = [dataset[index] for index in range(0, len(dataset), step)[: args.images]]
        panels, labels = [], None
        for file in args.checkpoints:
            points, labels = embed(load_model(cfg, file, args), samples, args)
            panels.append(points)
        purity = [neighbour_purity(points, labels, NEIGHBOURS) for points in panels]
        planes = [tsne(points, args.perplexity) for points in panels]
        titles = [
            f'{n}\n{NEIGHBOURS}-NN purity {p:.3f}' for n, p in zip(names, purity, strict=True)
        ]
        figure = draw(planes, labels, titles, dataset.metainfo)
        save_picture(figure, args.out, bbox_inches='tight')
    for name, value, points in zip(names, purity, panels, strict=True):
        same, other = (round(cosine, 4) for cosine in class_cosines(points, labels))
        numbers = dict(purity=round(value, 4), same_class_cosine=same, other_class_cosine=other)
        print(json.dumps(dict(name=name, layer=args.layer, **numbers)))
    print(f'wrote {args.out}: {len(labels)} pixels of {len(samples)} images')


def load_model(cfg: Config, checkpoint: str, args: argparse.Namespace) -> nn.Module:
    """The config's model with the checkpoint's weights, as far as ``--layer`` needs them.

    Raises:
        ValueError: The config has no projection head, the checkpoint is of another architecture,
            or a random start has no trained head to show.
    """
    layer, trust = args.layer, args.trust
    torch.manual_seed(args.seed)
    model = MODELS.build(cfg.model)
    if layer == 'backbone':
        model.init_weights()
        if checkpoint != RANDOM:
            load_backbone(model.backbone, checkpoint, trust=trust)
        return model.eval()
    if checkpoint == RANDOM:
        raise ValueError(f'{RANDOM!r} has no trained head: choose --layer backbone')
    if layer == 'projection' and not hasattr(model, 'contrast_head'):
        raise ValueError(
            f'{cfg.filename}: this model has no contrast_head to show; choose --layer decoder'
        )
    if layer == 'projection':
        given = load_file(checkpoint, trust=trust).get('state_dict', {})
        if not any(key.startswith(HEAD) for key in given):
            raise ValueError(f'{checkpoint}: it has no projection head; choose --layer decoder')
    skip = MEMORY if layer == 'projection' else HEAD
    load_whole_model(model, checkpoint, trust=trust, skip=skip, origin=cfg.filename)
    return model.eval()


def features_of(model: nn.Module, layer: str, images: Tensor) -> Tensor:
    """Feature map (1, D, H, W) of images (1, 3, H', W')."""
    maps = model.extract_feat(images)
    if layer == 'backbone':
        return model.contrast_head.select(maps) if hasattr(model, 'contrast_head') else maps[-1]
    if layer == 'projection':
        return model.contrast_head(maps)
    heads = model.decode_head
    heads = list(heads) if isinstance(heads, nn.ModuleList) else [heads]
    if not hasattr(heads[-1], 'conv_seg'):
        raise ValueError(f'{type(heads[-1]).__name__} has no conv_seg: choose --layer backbone')
    seen = []
    hook = heads[-1].conv_seg.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    try:
        model.encode_decode(images, [dict(img_shape=images.shape[-2:])])
    finally:
        hook.remove()
    return seen[-1]


@torch.no_grad()
def embed(model: nn.Module, samples: list[dict], args: argparse.Namespace) -> tuple[Tensor, Tensor]:
    """Unit vectors (N, D) of randomly chosen pixels and their classes (N,)."""
    generator = torch.Generator().manual_seed(args.seed)
    classes = model.decode_head[-1] if isinstance(model.decode_head, nn.ModuleList) else None
    per_class = max(1, args.pixels // (classes or model.decode_head).num_classes)
    share = max(1, -(-4 * per_class // len(samples)))  # few images may hold most of a rare class
    points, labels = [], []
    for sample in samples:
        batch = dict(inputs=[sample['inputs']], data_samples=[sample['data_samples'].clone()])
        batch = model.data_preprocessor(batch, False)
        map_ = features_of(model, args.layer, batch['inputs'])
        label, place = labels_of(sample, batch['inputs'].shape[-2:], map_.shape[-2:])
        chosen = thin(label, share, generator)
        points.append(F.normalize(map_[0].flatten(1).T[place[chosen]].float(), dim=1))
        labels.append(label[chosen])
    points, labels = torch.cat(points), torch.cat(labels)
    kept = thin(labels, per_class, generator)
    if len(kept) <= NEIGHBOURS:
        raise ValueError(f'only {len(kept)} labelled pixels in {len(samples)} images: use more')
    return points[kept], labels[kept]


def labels_of(
    sample: dict, padded: tuple[int, int], size: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """Classes of the labelled cells of a feature map, and where in its H * W cells these lie."""
    truth = sample['data_samples'].gt_sem_seg.data[0].long()
    height, width = sample['data_samples'].img_shape[:2]
    y = ((torch.arange(size[0]) + 0.5) * padded[0] / size[0]).long()
    x = ((torch.arange(size[1]) + 0.5) * padded[1] / size[1]).long()
    rows = (y * truth.shape[0] // height).clamp(max=truth.shape[0] - 1)
    columns = (x * truth.shape[1] // width).clamp(max=truth.shape[1] - 1)
    label = truth[rows[:, None], columns]
    inside = (y < height)[:, None] & (x < width)
    place = ((label != IGNORE) & inside).flatten().nonzero().squeeze(1)
    return label.flatten()[place], place


def thin(labels: Tensor, most: int, generator: torch.Generator) -> Tensor:
    """At most so many random positions of each class, in ascending order."""
    shuffled = torch.randperm(len(labels), generator=generator)
    chosen = [shuffled[labels[shuffled] == c][:most] for c in labels.unique()]
    return torch.cat([shuffled[:0], *chosen]).sort().values


def draw(planes: list[Tensor], labels: Tensor, titles: list[str], metainfo: dict) -> plt.Figure:
    """One panel per checkpoint, in the colours of the data set."""
    figure, axes = plt.subplots(
        1, len(planes), figsize=(5 * len(planes), 5.6), squeeze=False, layout='constrained'
    )
    for axis, plane, title in zip(axes[0], planes, titles, strict=True):
        for c in labels.unique().tolist():
            colour = [value / 255 for value in metainfo['palette'][c]]
            x, y = plane[labels == c].T
            axis.scatter(
                x, y, s=9, color=colour, linewidths=0.2, edgecolors='0.35',
                label=metainfo['classes'][c],
            )  # fmt: skip
        axis.set_title(title, fontsize=11)
        axis.set(xticks=[], yticks=[])
        axis.set_aspect('equal', adjustable='datalim')
    handles, texts = axes[0, 0].get_legend_handles_labels()
    lines = -(-len(texts) // (4 * len(planes)))  # four names fit below a panel
    options = dict(ncols=-(-len(texts) // lines), fontsize=8, markerscale=2, frameon=False)
    figure.legend(handles, texts, loc='outside lower center', **options)
    return figure


if __name__ == '__main__':
    main()
