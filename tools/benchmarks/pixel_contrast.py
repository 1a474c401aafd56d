"""Pixel contrast and its memory bank against loops over images and classes, on the CPU.

    python tools/benchmarks/pixel_contrast.py [--threads 2] [--repeats 5] [--only exact memory …]

Cityscapes shapes: 2 images, embeddings of 256 x 128 x 256, 19 classes, 5000 + 5000 slots a class.
Times are forward and backward down to the gradient of the embedding map, median of the repeats,
ours and the loop taking turns. Everything runs twice, in processes of their own: with glibc's
default allocator, where large tensors page-fault (which flatters whoever makes fewer of them), and
with one that keeps memory, as a caching allocator does. State the second. ``aim`` is what the form
in question is to reach against the loop; rows without one are there to compare.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import torch
from pixel_contrast_loop import LoopBank, loss_by_loop
from torch import Tensor

from semcl_mm.losses.pixel_contrast import PixelContrastLoss
from semcl_mm.memory import RegionMemoryBank

CLASSES, DIM, HEIGHT, WIDTH, STRIDE = 19, 256, 128, 256, 4
KEEPING = {
    'MALLOC_MMAP_MAX_': '0',
    'MALLOC_TRIM_THRESHOLD_': '34359738368',
    'MALLOC_TOP_PAD_': '67108864',
}
ALLOCATOR = 'PIXEL_CONTRAST_BENCHMARK_ALLOCATOR'
AIMS = {
    21: {'exact, float32': 3.9, 'exact, bfloat16 bank': 8.2},
    500: {'exact, float32': 2.3, 'exact, bfloat16 bank': 4.2},
    'sampled': {'semi-hard, drawn': 10.0},
    'batch': {2: 8.0, 4: 21.0},
    'update': {'ours, float32': 4.0, 'ours, bfloat16': 4.0},
}
"""Speed-ups that a prototype had; the sampled form is to reach ten."""
ALLOCATORS = {
    'default': "glibc's own: large tensors page-fault",
    'keeping': 'memory is kept, the one to state',
}
PARTS = ('exact', 'sampled', 'batch', 'update', 'curve')


def street(images: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Return embeddings, full-size labels with about 10 regions an image, predictions."""
    generator = torch.Generator().manual_seed(seed)
    embeddings = torch.randn(images, DIM, HEIGHT, WIDTH, generator=generator)
    embeddings = torch.nn.functional.normalize(embeddings, dim=1).requires_grad_()
    rows, columns = torch.meshgrid(torch.arange(HEIGHT), torch.arange(WIDTH), indexing='ij')
    maps = []
    for _ in range(images):
        classes = torch.randperm(CLASSES, generator=generator)[:10].repeat(2)
        y = torch.randint(0, HEIGHT, (20, 1, 1), generator=generator)
        x = torch.randint(0, WIDTH, (20, 1, 1), generator=generator)
        maps.append(classes[((rows - y) ** 2 + (columns - x) ** 2).argmin(dim=0)])
    labels = torch.stack(maps)
    wrong = torch.rand(labels.shape, generator=generator) < 0.1
    predictions = torch.where(wrong, (labels + 1) % CLASSES, labels)
    large = labels.repeat_interleave(STRIDE, 1).repeat_interleave(STRIDE, 2)
    return embeddings, large, predictions


def full_bank(slots: int = 5000, dtype: torch.dtype = torch.float32) -> RegionMemoryBank:
    """Return a bank whose every slot is filled: ``slots`` regions and as many pixels a class."""
    bank = RegionMemoryBank(CLASSES, DIM, slots, slots, dtype=dtype)
    for rows in bank.slots[:-1].split(100_000):
        rows.copy_(torch.nn.functional.normalize(torch.randn(rows.shape), dim=1))
    bank.pixel_filled.fill_(slots)
    bank.region_count.fill_(slots)
    bank.region_filled[:-1] = True
    bank.region_order[:-1] = torch.arange(slots).repeat(CLASSES)
    return bank


def authors_sampling(views: int, **more) -> PixelContrastLoss:
    """Return the loss with the anchors that the loop takes."""
    return PixelContrastLoss(
        CLASSES,
        anchors_per_class=views,
        anchor_mode='hard-easy',
        anchor_unit='image-category',
        max_anchors=1024,
        min_pixels=views + 1,
        **more,
    )


def backward_of(loss: Callable[[], Tensor], leaf: Tensor) -> Callable[[], None]:
    """Return a step: forward, backward, gradient dropped."""

    def step() -> None:
        loss().backward()
        leaf.grad = None

    return step


CLOCK = time.perf_counter


def milliseconds(steps: dict[str, Callable[[], None]], repeats: int) -> dict[str, float]:
    """Return the median time of each step; steps take turns so that noise hits all alike."""
    times: dict[str, list[float]] = {name: [] for name in steps}
    for repeat in range(repeats + 1):
        for name, step in steps.items():
            start = CLOCK()
            step()
            if repeat:  # the first is a warm-up
                times[name].append((CLOCK() - start) * 1e3)
    return {name: statistics.median(values) for name, values in times.items()}


def peak_mebibytes(step: Callable[[], None]) -> float:
    """Return the most memory that tensors made within ``step`` hold at one time."""
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
    repeats: int,
    memory: bool,
    aims: dict[str, float] | None = None,
) -> None:
    """Measure the steps, of which the first is the loop, and print a line for each.

    Args:
        part: What is measured, the first column.
        steps: Form to step; speed-ups are over the first.
        repeats: Timed repeats of each.
        memory: Whether to measure the peak of tensors as well.
        aims: Speed-up to be reached, for some of the forms.
    """
    times = milliseconds(steps, repeats)
    loop = next(iter(times.values()))
    for name, value in times.items():
        aim = (aims or {}).get(name)
        row = dict(part=part, form=name, ms=round(value, 1), speedup=round(loop / value, 2))
        row.update(allocator=os.environ.get(ALLOCATOR, ''), aim=aim)
        if memory:
            row['peak_mib'] = round(peak_mebibytes(steps[name]))
        goal = '' if aim is None else f'aim {aim:4.1f} x'
        note = f'{row["peak_mib"]:6d} MiB' if memory else ''
        line = f'{part:28s} {name:34s} {value:9.1f} ms {loop / value:7.2f} x {goal:10s} {note}'
        print(line.rstrip(), flush=True)
        print('json ' + json.dumps(row), file=sys.stderr)


def measure_exact(repeats: int) -> None:
    """All keys of the bank; about 20 anchors (one a class and image) and about 500."""
    embeddings, labels, predictions = street(2)
    small = labels[:, ::STRIDE, ::STRIDE]
    bank, half = full_bank(), full_bank(dtype=torch.bfloat16)
    slots = bank.keys_by_class()[0]
    queues = [slots[:, :5000], slots[:, 5000:]]
    for views in (1, 25):
        ours = authors_sampling(views, key_sampling='all')
        rough = authors_sampling(views, key_sampling='all', half_products=True)
        count = int((ours.sample(labels, predictions, (HEIGHT, WIDTH)).labels >= 0).sum())

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
        steps = {name: backward_of(step, embeddings) for name, step in steps.items()}
        aims = AIMS[21 if views == 1 else 500]
        report(f'{count} anchors, all keys', steps, repeats, memory=True, aims=aims)


def measure_sampled(repeats: int) -> None:
    """The paper's 1024 positives and 2048 negatives, semi-hard, for about 500 anchors."""
    embeddings, labels, predictions = street(2)
    small = labels[:, ::STRIDE, ::STRIDE]
    bank, half = full_bank(), full_bank(dtype=torch.bfloat16)
    slots = bank.keys_by_class()[0]
    queues = [slots[:, :5000], slots[:, 5000:]]
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
    report('500 anchors, sampled keys', steps, repeats, memory=True, aims=AIMS['sampled'])


def measure_batch(repeats: int) -> None:
    """No memory: the anchors of the batch are the keys."""
    for images in (2, 4):
        embeddings, labels, predictions = street(images)
        small = labels[:, ::STRIDE, ::STRIDE]
        ours = authors_sampling(100)
        steps = {
            'loop': lambda e=embeddings, s=small, p=predictions: loss_by_loop(e, s, p, None, 100),
            'exact': lambda e=embeddings, y=labels, p=predictions, ours=ours: ours(e, y, p),
        }
        steps = {name: backward_of(step, embeddings) for name, step in steps.items()}
        aims = {'exact': AIMS['batch'][images]}
        report(f'{images} images, no memory', steps, repeats, memory=True, aims=aims)


def measure_update(repeats: int) -> None:
    """Writing a batch of two images into the bank."""
    embeddings, labels, _ = street(2)
    embeddings = embeddings.detach()
    bank, half, loop = full_bank(), full_bank(dtype=torch.bfloat16), LoopBank(CLASSES, 5000, DIM)
    image_index = torch.tensor([3, 8])

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
    report('update of the bank', steps, 4 * repeats, memory=False, aims=AIMS['update'])


def measure_curve(repeats: int) -> None:
    """Cost of the drawn form while the bank (bfloat16) grows."""
    embeddings, labels, predictions = street(2)
    ours = authors_sampling(25, key_sampling='semi-hard')
    for slots in (1_000, 3_000, 10_000, 30_000, 100_000):
        bank = full_bank(slots // 2, torch.bfloat16)
        step = backward_of(lambda b=bank: ours(embeddings, labels, predictions, b), embeddings)
        report(f'{slots} slots a class', {'semi-hard, drawn': step}, repeats, memory=False)


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
    parser.add_argument('--here', action='store_true', help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.here:
        global CLOCK
        CLOCK = time.process_time if arguments.clock == 'cpu' else time.perf_counter
        torch.set_num_threads(arguments.threads)
        torch.manual_seed(0)
        for part in arguments.only:
            globals()[f'measure_{part}'](arguments.repeats)
        return
    for allocator in ('default', 'keeping'):
        if arguments.allocator not in ('both', allocator):
            continue
        print(
            f'\nallocator: {allocator} ({ALLOCATORS[allocator]}), {arguments.threads} threads, '
            f'{arguments.clock} time, torch {torch.__version__}',
            flush=True,
        )
        environment = {**os.environ, 'OMP_NUM_THREADS': str(arguments.threads)}
        environment[ALLOCATOR] = allocator
        environment.update(KEEPING if allocator == 'keeping' else {})
        command = [sys.executable, *sys.argv, '--here']
        subprocess.run(command, env=environment, check=True)


if __name__ == '__main__':
    main()
