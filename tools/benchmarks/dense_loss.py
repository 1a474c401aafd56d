"""Streamed dense InfoNCE and cycle loss against concatenate-and-softmax: time, memory, deviation.

Each row is one forward and backward pass on the same inputs, methods taking turns in one process::

    python tools/benchmarks/dense_loss.py            # about two minutes on 2 cores
    python tools/benchmarks/dense_loss.py --json     # one JSON object instead of the table
    python tools/benchmarks/dense_loss.py --device cuda     # everything on the GPU, TF32 off

On the CPU the command runs itself twice, with glibc's allocator as it is and told to keep its pages
(see ``semcl_mm.analysis.measuring.ALLOCATORS``). The second is the one to quote.
"""

import argparse
import json
import sys
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from semcl_mm.analysis.measuring import (
    ALLOCATORS,
    DEVICES,
    in_each_allocator,
    milliseconds,
    peak_bytes,
    ready,
)
from semcl_mm.cli import user_errors
from semcl_mm.losses import cycle_attention, dense_info_nce

MIB = 2**20


def concatenated_dense(query: Tensor, key: Tensor, match: Tensor, queue: Tensor) -> Tensor:
    """Dense InfoNCE as published code has it: one row of 1 + K logits per cell."""
    query, key = F.normalize(query, dim=-1), F.normalize(key, dim=-1)
    matched = key.gather(1, match[..., None].expand(-1, -1, key.shape[-1]))
    positive = (query * matched).sum(dim=-1, keepdim=True).flatten(0, 1)
    logits = torch.cat([positive, query.flatten(0, 1) @ queue.T], dim=1) / 0.2
    return F.cross_entropy(logits, match.new_zeros(len(logits)))


def concatenated_cycle(
    here: Tensor, there: Tensor, queue: Tensor, target: Tensor | None = None
) -> Tensor:
    """Cycle loss with the dense matrices of CACL Eq. 5, the queue as further columns."""
    here, there = F.normalize(here, dim=-1), F.normalize(there, dim=-1)
    forth = (here @ there.mT / 0.07).softmax(dim=-1)
    columns = torch.cat([here, queue.expand(len(here), -1, -1)], dim=1)
    back = (there @ columns.mT / 0.07).softmax(dim=-1)
    log_cycle = (forth @ back)[..., : here.shape[1]].add(1e-20).log()
    if target is None:
        return -log_cycle.diagonal(dim1=1, dim2=2).mean()
    return (target * (target.log() - log_cycle)).sum(dim=-1).mean()


def measure(options: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Return milliseconds, MiB, speed-up and deviation for each method."""
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)

    def unit(*shape: int) -> Tensor:
        return F.normalize(torch.randn(*shape), dim=-1).to(options.device)

    channels = options.channels
    query, key = (unit(options.images, options.cells, channels) for _ in range(2))
    match = torch.randint(options.cells, (options.images, options.cells)).to(options.device)
    queue = unit(options.queue, channels)
    here, there = (unit(options.pairs, options.pixels, channels) for _ in range(2))
    cycle_queue = unit(options.cycle_queue, channels)
    target = (unit(options.pairs, options.pixels, channels) @ there.mT / 0.07).softmax(dim=-1)
    half_queue, half_cycle_queue = queue.bfloat16(), cycle_queue.bfloat16()

    def dense(query: Tensor, queue: Tensor, **options) -> Tensor:
        return dense_info_nce(query, key, match, queue, normalise_negatives=False, **options)

    groups: dict[str, dict[str, tuple[Callable[[Tensor], Tensor], Tensor]]] = {
        'dense': {
            'concatenate': (lambda q: concatenated_dense(q, key, match, queue), query),
            'streamed': (lambda q: dense(q, queue), query),
            'streamed, bf16 queue': (lambda q: dense(q, half_queue), query),
            'streamed, bf16 products': (lambda q: dense(q, half_queue, half_products=True), query),
        },
        'cycle, hard': {
            'concatenate': (lambda c: concatenated_cycle(c, there, cycle_queue), here),
            'streamed': (lambda c: cycle_attention(c, there, 0.07, cycle_queue), here),
            'streamed, bf16 queue': (
                lambda c: cycle_attention(c, there, 0.07, half_cycle_queue),
                here,
            ),
        },
        'cycle, soft': {
            'concatenate': (lambda c: concatenated_cycle(c, there, cycle_queue, target), here),
            'streamed': (lambda c: cycle_attention(c, there, 0.07, cycle_queue, target), here),
        },
    }
    return {
        f'{group}: {name}': row
        for group, methods in groups.items()
        for name, row in _measure_group(methods, options.rounds, options.device).items()
    }


def _measure_group(methods: dict, rounds: int, device: str) -> dict[str, dict[str, float]]:
    """Measure one group, whose first method is the one to compare with."""
    steps, values, memory = {}, {}, {}
    for name, (loss, inputs) in methods.items():
        leaf = inputs.clone().requires_grad_()

        def step(loss=loss, leaf=leaf) -> tuple[Tensor, Tensor]:
            value = loss(leaf)
            return value.detach(), *torch.autograd.grad(value, leaf)

        steps[name] = step
        memory[name], values[name] = peak_bytes(step, device) / MIB, step()
    times = milliseconds(steps, rounds, device)
    first = next(iter(methods))
    value, gradient = values[first]
    return {
        name: {
            'milliseconds': round(times[name], 2),
            'speedup': round(times[first] / times[name], 2),
            'peak_mib': round(memory[name], 1),
            'value_deviation': float((values[name][0] - value).abs()),
            'gradient_deviation': float((values[name][1] - gradient).abs().max()),
        }
        for name in methods
    }


def print_table(results: dict[str, dict[str, dict[str, float]]]) -> None:
    """Print one line per method and allocator, or device."""
    for section, rows in results.items():
        title = f'allocator: {section}' if section in ALLOCATORS else section
        print(f'\n{title}' + (' (quote this)' if section == 'caching' else ''))
        print(f'{"":34}{"ms":>9}{"ratio":>8}{"peak MiB":>10}{"|dL|":>10}{"|dgrad|":>10}')
        for name, row in rows.items():
            print(
                f'{name:34}{row["milliseconds"]:9.1f}{row["speedup"]:8.2f}{row["peak_mib"]:10.1f}'
                f'{row["value_deviation"]:10.1e}{row["gradient_deviation"]:10.1e}'
            )


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    for name, default, text in (
        ('images', 8, 'dense loss: images'),
        ('cells', 49, 'dense loss: cells per image'),
        ('queue', 65536, 'dense loss: rows of the queue'),
        ('pairs', 2, 'cycle loss: frame pairs'),
        ('pixels', 784, 'cycle loss: cells per frame'),
        ('cycle-queue', 16384, 'cycle loss: rows of the queue'),
        ('channels', 128, 'channels of all embeddings'),
        ('rounds', 7, 'timed repetitions of each method'),
        ('threads', 2, 'CPU threads'),
    ):
        parser.add_argument(f'--{name}', type=int, default=default, help=f'{text} ({default})')
    parser.add_argument('--device', choices=DEVICES, default='cpu', help='where to measure (cpu)')
    parser.add_argument('--json', action='store_true', help='print one JSON object')
    parser.add_argument('--in-process', action='store_true', help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    for name, value in vars(options).items():
        if type(value) is int and value < 1:
            raise ValueError(f'--{name.replace("_", "-")} must be at least 1, got {value}')
    return options


def main(arguments: list[str]) -> None:
    """Measure in this process, or on the CPU in one process per allocator."""
    options = parse_arguments(arguments)
    device = ready(options.device)
    if options.in_process:
        print(json.dumps(measure(options)))
        return
    if options.device == 'cuda':
        results = {device: measure(options)}
    else:
        results = in_each_allocator(__file__, arguments)
    if options.json:
        print(json.dumps(results))
    else:
        print_table(results)


if __name__ == '__main__':
    with user_errors():
        main(sys.argv[1:])
