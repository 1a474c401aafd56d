#!/usr/bin/env python
"""Draw some pairs of an index, or of a config's training data, with the views a model gets.

A row is a pair: the image with its anchor outlined, then anchor and environment of each view::

    python tools/visualization/browse_pairs.py --index data/semcl/toy.pairs --data-root data/toy \\
        --out pairs.png
    python tools/visualization/browse_pairs.py configs/semcl/swin-t_voc.py --out pairs.png
"""

import argparse
import os
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from semcl_mm.cli import user_errors
from semcl_mm.datasets import PairDataset, PairDraw
from semcl_mm.engine.config_file import read_config
from semcl_mm.registry import DATASETS

PAPER, INK, FAINT, OUTLINE = (255, 255, 255), (32, 36, 44), (120, 128, 140), (255, 64, 96)
MARGIN, GAP, ROLE_GAP, CAPTION, HEADER = 20, 14, 3, 26, 46
FORMATS = ('.png', '.jpg', '.jpeg', '.webp')


def main() -> None:
    """Read the options, draw, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config', nargs='?', help='config whose training pairs are drawn')
    parser.add_argument('--index', help='pair index, in place of a config')
    parser.add_argument('--data-root', help='folder that --index was built from')
    parser.add_argument('--out', required=True, type=Path, help='picture to write')
    parser.add_argument('--num', type=int, default=6, help='number of pairs')
    parser.add_argument('--seed', type=int, default=0, help='seed of pairs and views')
    parser.add_argument('--view-size', type=int, default=128, help='side of a drawn view, pixels')
    options = parser.parse_args()
    with user_errors():
        if options.num < 1 or options.view_size < 16:
            raise ValueError('--num must be at least 1 and --view-size at least 16')
        if options.out.suffix.lower() not in FORMATS:
            raise ValueError(f'--out {options.out}: the name must end in one of {FORMATS}')
        picture = draw(open_dataset(options), options)
        write(picture, options.out)
        print(f'{options.out}: {picture.width} x {picture.height}')


def open_dataset(options: argparse.Namespace) -> PairDataset:
    """The data set of the config, or one of the official views on the index.

    Raises:
        ValueError: if neither or both are given, or the config does not train on pairs.
    """
    if (options.config is None) == (options.index is None):
        raise ValueError('give a config or --index with --data-root')
    if options.config is None:
        if options.data_root is None:
            raise ValueError('--index needs --data-root, the folder that it was built from')
        return PairDataset(options.index, options.data_root)
    config = read_config(options.config)
    dataset = config.get('train_dataloader', {}).get('dataset', {})
    if dataset.get('type') not in (PairDataset, 'PairDataset', 'semcl_mm.PairDataset'):
        raise ValueError(f'{options.config}: train_dataloader.dataset is no PairDataset')
    return DATASETS.build({**dataset, 'photometry': 'cpu'})


def draw(dataset: PairDataset, options: argparse.Namespace) -> Image.Image:
    """A grid of ``options.num`` random pairs (all, if there are fewer)."""
    rng = np.random.default_rng(options.seed)
    chosen = rng.permutation(len(dataset))[: options.num]
    side, views = options.view_size, len(dataset.views)
    group = 2 * side + ROLE_GAP
    photo_width = side * 3 // 2
    width = 2 * MARGIN + photo_width + views * (GAP + group)
    canvas = Image.new(
        'RGB', (width, MARGIN + HEADER + len(chosen) * (side + CAPTION) + MARGIN // 2), PAPER
    )
    pen = ImageDraw.Draw(canvas)
    left = MARGIN + photo_width + GAP
    pen.text((MARGIN, MARGIN), 'image', INK, font(15))
    for number in range(views):
        start = left + number * (group + GAP)
        pen.text((start, MARGIN), f'view {number}', INK, font(15))
        pen.text((start, MARGIN + 20), 'anchor', FAINT, font(12))
        pen.text((start + side + ROLE_GAP, MARGIN + 20), 'environment', FAINT, font(12))

    for row, pair in enumerate(chosen.tolist()):
        top = MARGIN + HEADER + row * (side + CAPTION)
        item = dataset[PairDraw(pair, row, options.seed)]
        photo = outlined(dataset, pair, photo_width, side)
        canvas.paste(photo, (MARGIN, top))
        record = dataset.index.record(pair)
        share = record.area / (record.size[0] * record.size[1])
        pen.text((MARGIN, top + side + 3), caption(dataset, record.category), INK, font(13))
        pen.text(
            (MARGIN + photo_width, top + side + 3), f'{share:.0%}', FAINT, font(13), anchor='ra'
        )
        fractions = item['data_samples'].anchor_fraction
        for number, (view, fraction) in enumerate(zip(item['inputs'], fractions, strict=True)):
            start = left + number * (group + GAP)
            for role, pixels in enumerate(view.permute(0, 2, 3, 1).numpy()):
                tile = Image.fromarray(np.ascontiguousarray(pixels)).resize((side, side))
                canvas.paste(tile, (start + role * (side + ROLE_GAP), top))
            text, colour = share_in_words(float(fraction))
            pen.text((start, top + side + 3), text, colour, font(12))
    return canvas


def outlined(dataset: PairDataset, pair: int, width: int, height: int) -> Image.Image:
    """The whole image, as large as it fits: a line around the anchor, the rest of it paler."""
    index = dataset.index
    with Image.open(index.record(pair).image_path) as file:
        photo = file.convert('RGB')
    scale = min(width / photo.width, height / photo.height)
    size = max(1, round(photo.width * scale)), max(1, round(photo.height * scale))
    pixels = np.asarray(photo.resize(size, Image.LANCZOS)).copy()
    mask = index.anchor_mask(pair, index.read_label(pair)).astype(np.uint8)
    mask = cv2.resize(mask, size, interpolation=cv2.INTER_AREA)
    pixels[mask == 0] = pixels[mask == 0] // 5 * 3 + 96
    contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(pixels, contours, -1, OUTLINE, 1, cv2.LINE_AA)
    return Image.fromarray(pixels)


def share_in_words(fraction: float) -> tuple[str, tuple[int, int, int]]:
    """What to write below a view, and in which colour: a view without one role stands out."""
    if fraction == 0:
        return 'no anchor in view', OUTLINE
    if fraction == 1:
        return 'no environment in view', OUTLINE
    rounded = '< 1%' if fraction < 0.01 else '> 99%' if fraction > 0.99 else f'{fraction:.0%}'
    return f'{rounded} of the view', FAINT


def caption(dataset: PairDataset, category: int) -> str:
    """Name of a class, or its number where the index has no names."""
    names = dataset.metainfo['classes']
    return names[category] if category < len(names) else f'class {category}'


def font(size: int) -> ImageFont.FreeTypeFont:
    """Pillow's own font."""
    return ImageFont.load_default(size)


def write(picture: Image.Image, out: Path) -> None:
    """Write the picture: complete or not at all."""
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(f'.{out.stem}.part{out.suffix}')
    try:
        picture.save(part, optimize=True)
        os.replace(part, out)
    finally:
        part.unlink(missing_ok=True)


if __name__ == '__main__':
    main()
