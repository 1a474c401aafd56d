"""Pairs per second and core: views made from an index against views of exported pairs.

Both sides make the same three views of the same pairs, collated, in one thread, taking turns in
one process. What is compared is what a loader's worker does, in CPU time: a core that other
processes use as well gives the same ratios::

    python tools/benchmarks/pair_views.py            # about two minutes on one core
    python tools/benchmarks/pair_views.py --json     # one JSON object instead of the table
    python tools/benchmarks/pair_views.py --index INDEX --data-root ROOT     # on your own data

The images are made here, as large in bytes as VOC's and Cityscapes': fractal noise at 500 x 375 as
JPEG and at 2048 x 1024 as PNG, with label maps. Exported pairs keep the images' format, as the
authors' tool does for these data sets. ``pairs_per_image=4`` shares a decode between neighbouring
pairs of the sampler (see ``PairSampler``).
"""

import argparse
import json
import pickle
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import cv2
import torch
from exported_pairs import ExportedPairs, export, make_scenes
from mmengine.dataset import default_collate
from torch.utils.data import Dataset

from semcl_mm.cli import user_errors
from semcl_mm.datasets import PairDataset, PairSampler

BASELINE = 'exported pairs (Pillow, float)'
SCENES = {
    '500x375': dict(width=500, height=375, objects=2, suffix='.jpg', palette=True),
    '2048x1024': dict(width=2048, height=1024, objects=8, suffix='.png', palette=False),
}
IMAGES = {'500x375': 48, '2048x1024': 8}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--rounds', type=int, default=24, help='turns of each side')
    parser.add_argument('--batch', type=int, default=12, help='pairs per turn')
    parser.add_argument('--size', type=int, default=224, help='side of a view in pixels')
    parser.add_argument(
        '--scenes', choices=SCENES, nargs='+', default=list(SCENES), help='sizes of the images'
    )
    parser.add_argument('--index', help='measure on this pair index instead of made images')
    parser.add_argument('--data-root', help='folder that --index was built from')
    parser.add_argument('--json', action='store_true', help='one JSON object, no table')
    options = parser.parse_args()
    with user_errors():
        if (options.index is None) != (options.data_root is None):
            raise ValueError('--index and --data-root belong together')
        if min(options.rounds, options.batch, options.size) < 1:
            raise ValueError('--rounds, --batch and --size must be at least 1')
        torch.set_num_threads(1)
        cv2.setNumThreads(0)
        report = {}
        for scene in ['data'] if options.index else options.scenes:
            with tempfile.TemporaryDirectory() as folder:
                index, root = options.index, options.data_root
                if not index:
                    index, root = Path(folder, 'data/pairs'), Path(folder, 'data')
                    make_scenes(root, IMAGES[scene], **SCENES[scene])
                report[scene] = measure(index, root, Path(folder, 'exported'), options)
        if options.json:
            print(json.dumps(report))
        else:
            print_table(report, options)


def measure(
    index: str | Path, root: str | Path, out: Path, options: argparse.Namespace
) -> dict[str, dict[str, float]]:
    """Median milliseconds a pair, ratio to the baseline of the same round, and bytes a pair."""
    sides, batch = {}, options.batch
    for name, photometry, pairs_per_image in [
        ('index, CPU photometry', 'cpu', 1),
        ('index, device photometry', 'device', 1),
        ('index, CPU, pairs_per_image=4', 'cpu', 4),
        ('index, device, pairs_per_image=4', 'device', 4),
    ]:
        dataset = PairDataset(index, root, size=options.size, photometry=photometry)
        sides[name] = turns(dataset, pairs_per_image, batch)
    exported = ExportedPairs(export(dataset.index, out, 64), options.size)
    sides = {BASELINE: turns(exported, 1, batch), **sides}
    seconds = {name: [] for name in sides}
    size = {name: len(pickle.dumps(turn())) for name, turn in sides.items()}  # warm-up as well
    for _ in range(options.rounds):
        for name, turn in sides.items():
            start = time.process_time()
            turn()
            seconds[name].append(time.process_time() - start)
    return {
        name: dict(
            milliseconds=statistics.median(taken) / batch * 1000,
            speedup=statistics.median(
                base / own for base, own in zip(seconds[BASELINE], taken, strict=True)
            ),
            bytes=size[name] / batch,
        )
        for name, taken in seconds.items()
    }


def turns(dataset: Dataset, pairs_per_image: int, batch: int) -> Callable[[], dict]:
    """A function that makes the next batch of a stream of draws."""
    carries_seed = isinstance(dataset, PairDataset)
    sampler = PairSampler(dataset, seed=0, pairs_per_image=pairs_per_image)
    draws = iter(sampler)
    random.seed(0)
    torch.manual_seed(0)

    def turn() -> dict:
        chosen = islice(draws, batch)
        return default_collate([dataset[d if carries_seed else d.index] for d in chosen])

    return turn


def print_table(report: dict, options: argparse.Namespace) -> None:
    """Print one block per image size."""
    print(f'one thread, {options.rounds} turns of {options.batch} pairs, views of {options.size}')
    for scene, sides in report.items():
        print(f'\n{scene:38}{"ms/pair":>9}{"pairs/s":>9}{"speed":>8}{"kB/pair":>9}{"bytes":>7}')
        for name, row in sides.items():
            print(
                f'{name:38}{row["milliseconds"]:9.2f}{1000 / row["milliseconds"]:9.1f}'
                f'{row["speedup"]:7.2f}x{row["bytes"] / 1000:9.0f}'
                f'{row["bytes"] / sides[BASELINE]["bytes"]:7.2f}'
            )


if __name__ == '__main__':
    main()
