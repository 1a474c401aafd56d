"""Pixel contrast and its memory bank against loops over images and classes.

    python tools/benchmarks/pixel_contrast.py [--threads 2] [--repeats 5] [--only exact batch …]
    python tools/benchmarks/pixel_contrast.py --device cuda     # everything on the GPU, TF32 off

Cityscapes shapes: 2 images, embeddings of 256 x 128 x 256, 19 classes, 5000 + 5000 slots a class.
Times are forward and backward down to the gradient of the embedding map, median of the repeats,
ours and the loop taking turns. On the CPU everything runs twice, in processes of their own: with
glibc's default allocator, where large tensors page-fault (which flatters whoever makes fewer of
them), and with one that keeps memory, as a caching allocator does. State the second. ``aim`` is
what the form in question is to reach against the loop on the CPU; rows without one are there to
compare.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

import torch
from pixel_contrast_inputs import CLASSES, STRIDE, authors_sampling, full_bank, street
from pixel_contrast_loop import LoopBank, loss_by_loop
from torch import Tensor

from semcl_mm.analysis.measuring import ALLOCATORS, DEVICES, milliseconds, peak_bytes, ready
from semcl_mm.cli import user_errors
from semcl_mm.memory import RegionMemoryBank

ALLOCATOR = 'PIXEL_CONTRAST_BENCHMARK_ALLOCATOR'
AIMS = {
    21: {'exact, float32': 3.9, 'exact, bfloat16 bank': 8.2},
    500: {'exact, float32': 2.3, 'exact, bfloat16 bank': 4.2},
    'sampled': {'semi-hard, drawn': 10.0},
    'batch': {2: 8.0, 4: 21.0},
    'update': {'ours, float32': 4.0, 'ours, bfloat16': 4.0},
}
"""Speed-ups that a prototype had; the sampled form is to reach ten."""
SECTIONS = {
    'default': ('default', "glibc's own: large tensors page-fault"),
    'keeping': ('caching', 'memory is kept, the one to state'),
}
"""What the sections of the output are called, their allocator, and what that means."""
PARTS = ('exact', 'sampled', 'batch', 'update', 'curve')


class Setting(NamedTuple):
    """How to measure: timed repeats, the device, and on the CPU the clock."""

    repeats: int
    device: str = 'cpu'
    clock: Callable[[], float] = time.perf_counter


def backward_of(loss: Callable[[], Tensor], leaf: Tensor) -> Callable[[], None]:
    """Return a step: forward, backward, gradient dropped."""

    def step() -> None:
        loss().backward()
        leaf.grad = None

    return step


def peak_mebibytes(step: Callable[[], None], device: str) -> float:
    """Return the most memory that tensors made within ``step`` hold, scratch memory included."""
    if device == 'cuda':
        return peak_bytes(step, device) / 2**20
    activities = [torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(activities=activities, profile_memory=True) as profile:
        step()
    events = [e for e in profile.profiler.kineto_results.events() if e.name() == '[memory]']
    held = peak = 0
    for event in sorted(events, key=lambda e: e.start_ns()):
        held += event.nbytes()
        peak = max(peak, held)
    return peak / 2**20


def report(
    part: str,
    steps: dict[str, Callable[[], None]],
    setting: Setting,
    memory: bool,
    aims: dict[str, float] | None = None,
) -> None:
    """Measure the steps, of which the first is the loop, and print a line for each.

    Args:
        part: What is measured, the first column.
        steps: Form to step; speed-ups are over the first.
        setting: Timed repeats of each, device and clock.
        memory: Whether to measure the peak of tensors as well.
        aims: Speed-up to be reached, for some of the forms.
    """
    times = milliseconds(steps, *setting)
    loop = next(iter(times.values()))
    for name, value in times.items():
        aim = (aims or {}).get(name) if setting.device == 'cpu' else None
        digits = 1 if setting.device == 'cpu' else 3
        row = dict(part=part, form=name, ms=round(value, digits), speedup=round(loop / value, 2))
        row.update(allocator=os.environ.get(ALLOCATOR, setting.device), aim=aim)
        if memory:
            row['peak_mib'] = round(peak_mebibytes(steps[name], setting.device))
        goal = '' if aim is None else f'aim {aim:4.1f} x'
        note = f'{row["peak_mib"]:6d} MiB' if memory else ''
        line = f'{part:28s} {name:34s} {value:9.{digits}f} ms {loop / value:7.2f} x'
        print(f'{line} {goal:10s} {note}'.rstrip(), flush=True)
        print('json ' + json.dumps(row), file=sys.stderr)


def banks(device: str) -> tuple[RegionMemoryBank, RegionMemoryBank, list[Tensor]]:
    """Return full banks in float32 and bfloat16, and the first as the loop's two queues."""
    bank, half = full_bank(device=device), full_bank(dtype=torch.bfloat16, device=device)
    slots = bank.keys_by_class()[0]
    return bank, half, [slots[:, : bank.region_slots], slots[:, bank.region_slots :]]


def measure_exact(setting: Setting) -> None:
    """All keys of the bank; about 20 anchors (one a class and image) and about 500."""
    embeddings, labels, predictions = street(2, setting.device)
    small = labels[:, ::STRIDE, ::STRIDE]
    bank, half, queues = banks(setting.device)
    for views in (1, 25):
        ours = authors_sampling(views, key_sampling='all')
        rough = authors_sampling(views, key_sampling='all', half_products=True)
        count = int((ours.sample(labels, predictions, small.shape[1:]).labels >= 0).sum())

        def loop(views: int = views) -> Tensor:
            return loss_by_loop(embeddings, small, predictions, queues, views)

        steps = {
            'loop, float32': loop,
            'exact, float32': lambda ours=ours: ours(embeddings, labels, predictions, bank),
            'exact, bfloat16 bank': lambda ours=ours: ours(embeddings, labels, predictions, half),
            'bfloat16 bank and products': lambda ours=rough: ours(
                embeddings, labels, predictions, half
            ),
        }
        if setting.device == 'cuda':
            steps.pop('bfloat16 bank and products')
        steps = {name: backward_of(step, embeddings) for name, step in steps.items()}
        aims = AIMS[21 if views == 1 else 500]
        report(f'{count} anchors, all keys', steps, setting, memory=True, aims=aims)


def measure_sampled(setting: Setting) -> None:
    """The paper's 1024 positives and 2048 negatives, semi-hard, for about 500 anchors."""
    embeddings, labels, predictions = street(2, setting.device)
    small = labels[:, ::STRIDE, ::STRIDE]
    bank, half, queues = banks(setting.device)
    drawn = {mode: authors_sampling(25, key_sampling=mode) for mode in ('random', 'semi-hard')}
    rough = authors_sampling(25, key_sampling='semi-hard', half_products=True)
    ranked = authors_sampling(25, key_sampling='semi-hard', key_scope='memory')
    steps = {
        'loop, all keys': lambda: loss_by_loop(embeddings, small, predictions, queues, 25),
        'random, drawn': lambda: drawn['random'](embeddings, labels, predictions, bank),
        'semi-hard, drawn': lambda: drawn['semi-hard'](embeddings, labels, predictions, bank),
        'semi-hard, drawn, bfloat16': lambda: rough(embeddings, labels, predictions, half),
        'semi-hard, whole bank ranked': lambda: ranked(embeddings, labels, predictions, bank),
    }
    steps = {name: backward_of(step, embeddings) for name, step in steps.items()}
    report('500 anchors, sampled keys', steps, setting, memory=True, aims=AIMS['sampled'])


def measure_batch(setting: Setting) -> None:
    """No memory: the anchors of the batch are the keys."""
    for images in (2, 4):
        embeddings, labels, predictions = street(images, setting.device)
        small = labels[:, ::STRIDE, ::STRIDE]
        ours = authors_sampling(100)
        steps = {
            'loop': lambda e=embeddings, s=small, p=predictions: loss_by_loop(e, s, p, None, 100),
            'exact': lambda e=embeddings, y=labels, p=predictions, ours=ours: ours(e, y, p),
        }
        steps = {name: backward_of(step, embeddings) for name, step in steps.items()}
        aims = {'exact': AIMS['batch'][images]}
        report(f'{images} images, no memory', steps, setting, memory=True, aims=aims)


def measure_update(setting: Setting) -> None:
    """Writing a batch of two images into the bank."""
    embeddings, labels, _ = street(2, setting.device)
    embeddings = embeddings.detach()
    bank, half, _ = banks(setting.device)
    loop = LoopBank(CLASSES, bank.pixel_slots, bank.dim, setting.device)
    image_index = torch.tensor([3, 8], device=setting.device)
    often = setting._replace(repeats=4 * setting.repeats)

    def written(bank: RegionMemoryBank) -> Callable[[], None]:
        def step() -> None:
            bank.update(embeddings, labels, image_index)
            bank.flush()

        return step

    steps = {
        'loop': lambda: loop.update(embeddings, labels),
        'ours, float32': written(bank),
        'ours, bfloat16': written(half),
    }
    report('update of the bank', steps, often, memory=False, aims=AIMS['update'])


def measure_curve(setting: Setting) -> None:
    """Cost of the drawn form while the bank (bfloat16) grows."""
    embeddings, labels, predictions = street(2, setting.device)
    ours = authors_sampling(25, key_sampling='semi-hard')
    for slots in (1_000, 3_000, 10_000, 30_000, 100_000):
        bank = full_bank(slots // 2, torch.bfloat16, setting.device)
        step = backward_of(lambda b=bank: ours(embeddings, labels, predictions, b), embeddings)
        report(f'{slots} slots a class', {'semi-hard, drawn': step}, setting, memory=False)


def main() -> None:
    """Run the asked parts, once per allocator in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--repeats', type=int, default=5)
    parser.add_argument('--only', nargs='+', choices=PARTS, default=PARTS)
    parser.add_argument('--allocator', choices=['both', 'default', 'keeping'], default='both')
    parser.add_argument(
        '--clock',
        choices=['wall', 'cpu'],
        default='wall',
        help='cpu: processor time, for a machine that others use as well; with --threads 1',
    )
    parser.add_argument('--device', choices=DEVICES, default='cpu', help='where to measure (cpu)')
    parser.add_argument('--here', action='store_true', help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    device = ready(arguments.device)
    if arguments.device == 'cuda':
        print(device)
        if 'exact' in arguments.only:
            print('left out: bfloat16 bank and products; here the products are exact in any case')
    if arguments.here or arguments.device == 'cuda':
        clock = time.process_time if arguments.clock == 'cpu' else time.perf_counter
        torch.set_num_threads(arguments.threads)
        torch.manual_seed(0)
        for part in arguments.only:
            globals()[f'measure_{part}'](Setting(arguments.repeats, arguments.device, clock))
        return
    for section, (allocator, meaning) in SECTIONS.items():
        if arguments.allocator not in ('both', section):
            continue
        print(
            f'\nallocator: {section} ({meaning}), {arguments.threads} threads, '
            f'{arguments.clock} time, torch {torch.__version__}',
            flush=True,
        )
        environment = {**os.environ, 'OMP_NUM_THREADS': str(arguments.threads)}
        environment[ALLOCATOR] = section
        environment.update(ALLOCATORS[allocator])
        command = [sys.executable, *sys.argv, '--here']
        subprocess.run(command, env=environment, check=True)


if __name__ == '__main__':
    with user_errors():
        main()
