"""Whole training steps of configs: milliseconds, samples a second, memory, waits for the device.

    python tools/benchmarks/training_step.py configs/semcl/r50_voc.py configs/pixcon/toy.py
    python tools/benchmarks/training_step.py configs/semcl/toy.py --batch 2 --size 32 --steps 2

Model and optimiser are the config's, at random; batches are made here (``synthetic_batches.py``)
and lie in the host's memory. A step is what a run's is without its hooks: copy to the device, data
preprocessor, losses, backward, optimiser, target encoder. Data loading is not part of it. One line
a config:

- the median of the steps, which follow each other without waiting, and the data preprocessor alone
  (normalisation and, with ``--device-photometry``, all colours; the copy is part of it);
- samples a second, of one process;
- peak of all that is allocated on a GPU, of weights, optimiser and tensors of a step on the CPU;
- parameters that are trained;
- on a GPU, how often a step waits for the device, and where.

A config that fails is reported and the next one measured; the exit code is then 1.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import cycle
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.logging import MMLogger
from mmengine.model import revert_sync_batchnorm
from mmengine.optim import OptimWrapper as BaseOptimWrapper
from mmengine.optim import build_optim_wrapper
from synthetic_batches import UNITS, make_batches, unit_of
from torch import nn

from semcl_mm.analysis.measuring import (
    DEVICES,
    milliseconds,
    milliseconds_in_a_row,
    peak_bytes,
    ready,
)
from semcl_mm.cli import user_errors
from semcl_mm.engine import MomentumUpdateHook
from semcl_mm.engine.command_line import train_config
from semcl_mm.engine.memory_layout import to_channels_last
from semcl_mm.engine.options import train_parser
from semcl_mm.registry import MODELS

WARM_UP = 4
BATCHES = 2
MIB = 2**20
WAIT = 'called a synchronizing CUDA operation'


def read_config(path: str, options: argparse.Namespace) -> Config:
    """The config of a run with the options of the command line."""
    words = [path]
    if options.amp:
        words += ['--amp', options.amp]
    if options.cfg_options:
        words += ['--cfg-options', *options.cfg_options]
    cfg = train_config(train_parser().parse_args(words))
    data, model = cfg.train_dataloader, cfg.model
    if options.batch:
        data.batch_size = options.batch
    if options.size:
        if data.dataset.type in UNITS:
            data.dataset.size = options.size
        elif 'size' in model.data_preprocessor:
            model.data_preprocessor.size = (options.size, options.size)
        if 'img_size' in model.backbone:
            model.backbone.img_size = options.size
    if options.device_photometry and data.dataset.type in UNITS:
        data.dataset.photometry, model.data_preprocessor.photometry = 'device', True
    return cfg


def build(cfg: Config, device: str) -> tuple[nn.Module, BaseOptimWrapper]:
    """Model and optimiser as the runner builds them for one process."""
    model = revert_sync_batchnorm(MODELS.build(cfg.model)).to(device).train()
    if cfg.get('channels_last'):
        to_channels_last(model)
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    wrapper.initialize_count_status(model, 0, 10**6)
    for group in wrapper.param_groups:
        group['lr'] = 1e-6  # there is nothing to learn, and weights have to stay finite
    return model, wrapper


def step_of(
    cfg: Config, model: nn.Module, wrapper: BaseOptimWrapper, batches: Iterable[dict]
) -> Callable[[], dict]:
    """One training step, with what :class:`MomentumUpdateHook` does after it."""
    types = MomentumUpdateHook, MomentumUpdateHook.__name__
    hooks = [hook for hook in cfg.get('custom_hooks') or () if hook['type'] in types]
    batches = cycle(batches)

    def step() -> dict:
        losses = model.train_step(next(batches), wrapper)
        for hook in hooks:
            if wrapper.should_update():
                model.update_target(hook.get('momentum', 0.99))
        return losses

    return step


def waits(step: Callable[[], object], device: str) -> dict[str, int]:
    """How often a step waits for the GPU, place by place."""
    if device == 'cpu':
        return {}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        torch.cuda.set_sync_debug_mode('warn')
        try:
            step()
        finally:
            torch.cuda.set_sync_debug_mode('default')
    return places(caught)


def places(caught: Iterable[warnings.WarningMessage]) -> dict[str, int]:
    """Lines of code that CUDA's warnings name, the most frequent first."""
    found = Counter(
        f'{"/".join(Path(warning.filename).parts[-3:])}:{warning.lineno}'
        for warning in caught
        if WAIT in str(warning.message)
    )
    return dict(found.most_common())


def held_bytes(model: nn.Module, wrapper: BaseOptimWrapper, device: str) -> int:
    """What is allocated between two steps."""
    if device == 'cuda':
        return torch.cuda.memory_allocated()
    states = [value for state in wrapper.optimizer.state.values() for value in state.values()]
    tensors = [*model.parameters(), *model.buffers(), *filter(torch.is_tensor, states)]
    return sum(tensor.nbytes for tensor in tensors)


def measure(path: str, options: argparse.Namespace) -> dict:
    """The row of a config."""
    torch.manual_seed(0)
    cfg, device = read_config(path, options), options.device
    torch.backends.cudnn.benchmark = cfg.get('env_cfg', {}).get('cudnn_benchmark', False)
    batches = make_batches(cfg, BATCHES, pinned=device == 'cuda')
    model, wrapper = build(cfg, device)
    if options.compile:
        model.train_step = torch.compile(model.train_step)
    step = step_of(cfg, model, wrapper, batches)
    for _ in range(WARM_UP):
        step()

    def prepare() -> None:
        with wrapper.optim_context(model):
            model.data_preprocessor(batches[0], True)

    taken = milliseconds_in_a_row(step, options.steps, device)
    data = milliseconds({'data': prepare}, min(options.steps, 10), device)['data']
    held, made = held_bytes(model, wrapper, device), peak_bytes(step, device)
    found = waits(step, device)
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    batch = cfg.train_dataloader.batch_size
    return dict(
        config='/'.join(Path(path).with_suffix('').parts[-2:]),
        device=device,
        batch=batch,
        precision=cfg.optim_wrapper.get('dtype', 'float32'),
        compiled=options.compile,
        milliseconds=round(taken, 2),
        data_milliseconds=round(data, 2),
        per_second=round(batch / taken * 1e3, 1),
        unit=unit_of(cfg),
        peak_mib=round((held + made) / MIB),
        parameters=trained,
        syncs=sum(found.values()),
        sync_places=found,
        loss=float(step()['loss'].detach()),
    )


def line_of(row: dict) -> str:
    """A row for people."""
    text = (
        f'{row["config"]:44s} {row["batch"]:4d} {row["precision"]:8s} {row["milliseconds"]:9.2f} '
        f'ms/step (data {row["data_milliseconds"]:.2f}) {row["per_second"]:9.1f} {row["unit"]}/s '
        f'{row["peak_mib"]:7d} MiB {row["parameters"] / 1e6:7.2f} M  '
    )
    text += f'syncs {row["syncs"]}' if row['device'] == 'cuda' else 'syncs -'
    return text + ''.join(f'\n    {n} x {place}' for place, n in row['sync_places'].items())


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    """Read the command line.

    Raises:
        ValueError: A number is below 1, or a run would take another device.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('configs', nargs='+', metavar='CONFIG', help='files under configs/')
    parser.add_argument('--batch', type=int, help="samples a step (the config's, of one process)")
    parser.add_argument('--size', type=int, help="side of views and crops (the config's)")
    parser.add_argument('--device', choices=DEVICES, default=get_device(), help='(%(default)s)')
    parser.add_argument('--amp', choices=('bf16', 'fp16', 'none'), help="precision (the config's)")
    parser.add_argument('--steps', type=int, default=20, help='timed steps (20)')
    parser.add_argument('--compile', action='store_true', help='torch.compile the training step')
    parser.add_argument(
        '--device-photometry', action='store_true', help='colour views on the device, not before'
    )
    parser.add_argument(
        '--cfg-options', nargs='+', metavar='KEY=VALUE', help='as in tools/train.py'
    )
    parser.add_argument('--json', action='store_true', help='print one JSON object a line')
    options = parser.parse_args(arguments)
    for name in ('batch', 'size', 'steps'):
        if getattr(options, name) is not None and getattr(options, name) < 1:
            raise ValueError(f'--{name} must be at least 1, got {getattr(options, name)}')
    if options.device != get_device():
        raise ValueError(
            f'--device {options.device}: a run takes {get_device()} here'
            + ("; CUDA_VISIBLE_DEVICES='' hides it" if options.device == 'cpu' else '')
        )
    return options


def main(arguments: list[str]) -> int:
    """Measure and print; return the number of configs that failed."""
    options = parse_arguments(arguments)
    about = ready(options.device)
    if options.device == 'cuda':
        about += f', convolutions with{"" if torch.backends.cudnn.allow_tf32 else "out"} TF32'
    if not options.json:
        print(about, flush=True)
    MMLogger.get_current_instance().setLevel('ERROR')  # parameter groups
    failed = 0
    for path in options.configs:
        try:
            row = measure(path, options)
            print(json.dumps(dict(row, about=about)) if options.json else line_of(row), flush=True)
        except Exception as error:  # the GPU's time is short: the other configs go on
            failed += 1
            if not isinstance(error, (ValueError, OSError)):
                print(''.join(traceback.format_tb(error.__traceback__)[-3:]), file=sys.stderr)
            message = str(error)[:500]  # the compiler's can be pages
            print(f'{path}: {type(error).__name__}: {message}', file=sys.stderr, flush=True)
        gc.collect()
        if options.compile:
            torch.compiler.reset()
        if options.device == 'cuda':
            torch.cuda.empty_cache()
    return failed


if __name__ == '__main__':
    with user_errors():
        raise SystemExit(min(main(sys.argv[1:]), 1))
