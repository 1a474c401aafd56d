#!/usr/bin/env python
"""Make the toy world: ``python tools/dataset_converters/make_toy.py --out data/toy``.

The last line of the output is one JSON object: scenes, clips, frames, instances, the share of
pixels per class, seconds, bytes. See ``docs/toy_world.md`` for what the folder holds.
"""

import argparse
import json
import sys
import time
from pathlib import Path

from semcl_mm.cli import user_errors
from semcl_mm.datasets.toy import make_toy_world
from semcl_mm.datasets.toy.parameters import ToyParameters
from semcl_mm.datasets.toy.preview import write_preview


def parse_size(text: str) -> tuple[int, int]:
    """``'160x120'`` -> (160, 120)."""
    try:
        width, height = (int(part) for part in text.lower().split('x'))
    except ValueError:
        message = f'{text!r} is no WIDTHxHEIGHT, such as 160x120'
        raise argparse.ArgumentTypeError(message) from None
    return width, height


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line; unknown options end the program."""
    parser = argparse.ArgumentParser(description='Make the toy world.')
    usual = ToyParameters()
    parser.add_argument('--out', type=Path, default=Path('data/toy'), help='folder to make')
    parser.add_argument('--scenes', type=int, default=usual.scenes, help='still images')
    parser.add_argument('--clips', type=int, default=usual.clips, help='clips of moving objects')
    parser.add_argument('--frames', type=int, default=usual.frames, help='frames per clip')
    parser.add_argument('--size', type=parse_size, default=usual.size, metavar='WxH')
    parser.add_argument('--seed', type=int, default=usual.seed)
    parser.add_argument('--workers', type=int, help='processes; one per core by default')
    parser.add_argument('--force', action='store_true', help='replace another toy world in --out')
    parser.add_argument('--preview', type=Path, metavar='PNG', help='also write a contact sheet')
    return parser.parse_args(argv)


def show_progress(done: int, total: int) -> None:
    """One line that rewrites itself on a terminal, a line per tenth elsewhere."""
    if sys.stderr.isatty():
        end = '\n' if done == total else ''
        print(f'\rtoy world: {done}/{total} images', end=end, file=sys.stderr, flush=True)
    elif done == total or show_progress.tenth != done * 10 // total:
        show_progress.tenth = done * 10 // total
        print(f'toy world: {done}/{total} images', file=sys.stderr, flush=True)


show_progress.tenth = 0


def main(argv: list[str] | None = None) -> None:
    """Make the world and report."""
    args = parse_args(argv)
    start = time.perf_counter()
    with user_errors():
        meta = make_toy_world(
            args.out,
            scenes=args.scenes,
            clips=args.clips,
            frames=args.frames,
            size=args.size,
            seed=args.seed,
            workers=args.workers,
            force=args.force,
            progress=show_progress,
        )
        if args.preview:
            write_preview(args.out, args.preview)
    seconds = round(time.perf_counter() - start, 2)
    report = {'out': str(args.out), 'reused': meta['reused'], **meta['statistics']}
    print(json.dumps({**report, 'seconds': seconds, 'bytes': meta['bytes']}))


if __name__ == '__main__':
    main()
