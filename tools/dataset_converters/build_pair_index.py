#!/usr/bin/env python
"""Build the pair index of a data set: which objects of which images become SemCL's anchors.

    python tools/dataset_converters/build_pair_index.py voc data/VOCdevkit/VOC2012 \
        --split train_aug --out data/semcl/voc.pairs

Nothing is exported: the index holds 24 bytes a pair, 20 an image, and the images' names. The last
line on stdout is one JSON object with images, pairs, skipped (reason: count), pairs_per_class and
bytes. See docs/pairs.md.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from semcl_mm.cli import user_errors
from semcl_mm.datasets import label_sources
from semcl_mm.datasets.label_sources.base import LabelSource
from semcl_mm.datasets.label_sources.cityscapes import COLOUR_MAPS, LABELS
from semcl_mm.datasets.pair_builder import Selection, build_index
from semcl_mm.datasets.regions import AREA_RULES

UNITS = ('class', 'instance', 'component')


def make_parser() -> argparse.ArgumentParser:
    """The command line: one subcommand for each layout."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    layouts = parser.add_subparsers(dest='layout', required=True, metavar='LAYOUT')
    for layout, text in _LAYOUTS.items():
        sub = layouts.add_parser(layout, help=text.split('; ')[0], description=text)
        sub.add_argument('root', type=Path, metavar='ROOT', help=text.split('; ROOT: ')[-1])
        sub.add_argument('--out', type=Path, required=True, metavar='INDEX', help='file to write')
        sub.add_argument('--split', help='train, training or train2017 by the layout')
        sub.add_argument(
            '--unit',
            choices=UNITS,
            help='what an anchor is; instance for ade20k-full and coco, class for the others',
        )
        sub.add_argument(
            '--area-rule',
            choices=AREA_RULES,
            default='code',
            help="'code': more than min-area of the pixels, as the authors' generator; "
            "'paper': at least ceil(sqrt(t) h) * ceil(sqrt(t) w) pixels",
        )
        sub.add_argument(
            '--min-area', type=_share, default=0.01, help='share of the image (default %(default)s)'
        )
        sub.add_argument(
            '--workers',
            type=_positive,
            default=_cores(),
            help='processes; the index does not depend on it (default %(default)s)',
        )
        sub.add_argument(
            '--allow-missing',
            action='store_true',
            help='count images without label (labels without image) instead of stopping',
        )
    _add_options(layouts.choices)
    return parser


_LAYOUTS = {
    'voc': 'PASCAL VOC 2012, with SBD where --split is train_aug; ROOT: the folder of JPEGImages',
    'cityscapes': 'Cityscapes gtFine; ROOT: the folder of leftImg8bit and gtFine',
    'ade20k': 'ADEChallengeData2016 class maps; ROOT: the folder of images and annotations',
    'ade20k-full': 'ADE20K_2021_17_01 instance masks; ROOT: the folder of images/ADE',
    'coco-stuff': 'COCO-Stuff maps; ROOT: the folder of train2017 and stuffthingmaps_trainval2017',
    'coco': 'COCO instance JSON; ROOT: the folder of train2017 and annotations',
    'folder': 'images and label PNGs of the same names; ROOT: the folder of both folders',
}


def _add_options(layouts: dict[str, argparse.ArgumentParser]) -> None:
    """Options that only some layouts have."""
    city = layouts['cityscapes']
    city.add_argument('--label', choices=LABELS, help='label files (default: the first present)')
    city.add_argument(
        '--colour-map',
        choices=COLOUR_MAPS,
        default='current',
        help="'old': the authors' before July 2023, 28 classes, every car pair twice",
    )
    plain = layouts['folder']
    plain.add_argument('--images', default='images', help='image folder (default %(default)s)')
    plain.add_argument('--labels', default='labels', help='label folder (default %(default)s)')
    plain.add_argument(
        '--ignore',
        type=int,
        nargs='*',
        default=[255],
        metavar='VALUE',
        help='label values that are no class (default 255)',
    )
    plain.add_argument(
        '--num-classes', type=_positive, help='larger values are errors (default: none is)'
    )
    plain.add_argument('--class-names', type=Path, metavar='FILE', help='one name a line')
    plain.add_argument('--image-suffix', help='end of the image names (default: any image type)')
    plain.add_argument('--label-suffix', default='.png', help='(default %(default)s)')


def make_source(args: argparse.Namespace) -> LabelSource:
    """The data set that the command line names."""
    options = {'root': args.root, 'split': args.split}
    if args.unit:
        options['unit'] = args.unit
    if args.layout in ('cityscapes', 'ade20k', 'coco-stuff', 'folder'):
        options['allow_missing'] = args.allow_missing
    if args.layout == 'cityscapes':
        options |= {'label': args.label, 'colour_map': args.colour_map}
    if args.layout == 'folder':
        names = ('images', 'labels', 'ignore', 'num_classes', 'class_names')
        options |= {name: getattr(args, name) for name in (*names, 'image_suffix', 'label_suffix')}
    return getattr(label_sources, args.layout.replace('-', '_'))(**options)


def progress_line(interval: float = 2.0) -> Callable[[int, int], None]:
    """A callback that writes images done, rate and time left to stderr every few seconds."""
    begin = last = time.monotonic()

    def show(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < interval and done < total:
            return
        last = now
        rate = done / max(now - begin, 1e-9)
        left = time.strftime('%H:%M:%S', time.gmtime((total - done) / rate))
        print(f'{done}/{total} images, {rate:.0f} images/s, ETA {left}', file=sys.stderr)

    return show


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f'{value} is not positive')
    return value


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f'{value} is no share of an image in [0, 1)')
    return value


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    args = make_parser().parse_args(arguments)
    with user_errors():
        if not args.root.is_dir():
            raise ValueError(f'{args.root}: no such folder')
        selection = Selection(args.area_rule, args.min_area, args.allow_missing)
        source = make_source(args)
        print(f'{len(source.items)} images, {args.workers} workers', file=sys.stderr)
        summary = build_index(source, args.out, selection, args.workers, progress_line())
        print(json.dumps({'index': str(args.out), **summary}, ensure_ascii=False))


if __name__ == '__main__':
    main()
