"""From a command line to a config: the union of mmpretrain's, mmseg's and mmdet's options.

``tools/train.py`` and ``tools/test.py`` are thin: they parse here, merge here and run.
"""

import argparse
import json
import logging
import os
from importlib.util import find_spec
from pathlib import Path

import torch
from mmengine.config import Config, ConfigDict
from mmengine.dist import is_main_process
from mmengine.logging import print_log
from mmengine.visualization import LocalVisBackend

from semcl_mm.engine.config_file import read_config
from semcl_mm.engine.optim_wrapper import AmpOptimWrapper, OptimWrapper
from semcl_mm.engine.options import AMP_DTYPES, LOG_BACKENDS
from semcl_mm.engine.resume import checkpoints_newest_first, nothing_to_resume

__all__ = [
    'checkpoint_name',
    'load_config',
    'run_name',
    'test_config',
    'train_config',
    'write_metrics',
]

_DATALOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
_VALIDATION = ('val_cfg', 'val_dataloader', 'val_evaluator')


def load_config(args: argparse.Namespace) -> Config:
    """Reads ``args.config`` and merges the command line into it.

    Raises:
        FileNotFoundError: the config or a checkpoint named on the command line does not exist.
        ValueError: the config is no Python, imports what is not there, or an override names a key
            that it does not have.
    """
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    cfg = read_config(args.config, args.cfg_options)
    cfg.launcher = args.launcher
    for name in args.log_to or ():
        if name != 'local' and find_spec(name) is None:
            raise ValueError(f'--log-to {name}: not installed here; pip install "semcl_mm[{name}]"')
    if args.log_to:
        backends = dict.fromkeys(['local', *args.log_to])
        cfg.visualizer.vis_backends = [dict(type=LOG_BACKENDS[name]) for name in backends]
    _fit_dataloaders(cfg, args)
    return cfg


def train_config(args: argparse.Namespace) -> Config:
    """The config of a training run. See :func:`load_config` for what it raises."""
    cfg = load_config(args)
    if args.no_validate:
        cfg.update(dict.fromkeys(_VALIDATION))
    if args.seed is not None:
        cfg.randomness = dict(cfg.get('randomness', {}), seed=args.seed)
    _limit_labels(cfg, args)
    if args.amp:
        _set_precision(cfg.optim_wrapper, AMP_DTYPES[args.amp])
    if args.auto_scale_lr:
        if 'base_batch_size' not in cfg.get('auto_scale_lr', {}):
            raise ValueError(
                f'{args.config}: --auto-scale-lr needs auto_scale_lr.base_batch_size in the config'
            )
        cfg.auto_scale_lr.enable = True
    if args.pretrained:
        _require_file(args.pretrained, 'checkpoint given to --pretrained')
        cfg.pretrained = dict(
            checkpoint=args.pretrained, allow_partial=args.allow_partial, trust=args.trust
        )
    if args.work_dir or cfg.get('work_dir') is None:
        cfg.work_dir = args.work_dir or f'work_dirs/{run_name(args)}'
    if args.resume:
        _resume(cfg, args.resume)
    return cfg


def test_config(args: argparse.Namespace) -> Config:
    """The config of an evaluation. See :func:`load_config` for what it raises."""
    _require_file(args.checkpoint, 'checkpoint')
    cfg = load_config(args)
    if cfg.get('test_cfg') is None:
        raise ValueError(
            f'{args.config}: a pretraining has nothing to test; give a downstream config'
        )
    cfg.load_from = args.checkpoint
    cfg.trust_checkpoint = args.trust
    cfg.work_dir = args.work_dir or f'work_dirs/{Path(args.config).stem}'
    if args.tta:
        if 'tta_pipeline' not in cfg:
            raise ValueError(f'{args.config}: --tta needs tta_model and tta_pipeline in the config')
        cfg.test_dataloader.dataset.pipeline = cfg.tta_pipeline
        cfg.model = dict(cfg.tta_model, module=cfg.model)
    if args.show_dir:
        painter = cfg.get('prediction_painter')
        if painter is None:
            raise ValueError(f'{args.config}: --show-dir needs prediction_painter in the config')
        cfg.default_hooks.visualization = painter.hook
        cfg.visualizer = dict(
            painter.visualizer, save_dir=args.show_dir, vis_backends=[dict(type=LocalVisBackend)]
        )
    return cfg


def write_metrics(path: str, metrics: dict) -> None:
    """Writes metrics as JSON, whole or not at all; on the first process only."""
    if not is_main_process():
        return
    temporary = Path(f'{path}.part')
    temporary.parent.mkdir(parents=True, exist_ok=True)
    temporary.write_text(json.dumps(metrics, indent=2, default=float) + '\n')
    temporary.replace(path)


def run_name(args: argparse.Namespace) -> str:
    """The work dir's name: the config, then what it starts from and the seed where given."""
    name = Path(args.config).stem
    if args.pretrained:
        name += f'_from_{checkpoint_name(args.pretrained)}'
    if args.label_fraction is not None:
        name += f'_labels{args.label_fraction:g}'
    if args.label_seed is not None:
        name += f'_subset{args.label_seed}'
    if args.seed is not None:
        name += f'_seed{args.seed}'
    return name


def checkpoint_name(path: str) -> str:
    """A name for a checkpoint: its file's, or its folder's where the file is just ``iter_N``."""
    file = Path(path).resolve()
    generic = file.stem.startswith(('iter_', 'epoch_', 'best_', 'last', 'latest'))
    return file.parent.name if generic else file.stem


def _resume(cfg: Config, given: str) -> None:
    """Go on from the file given, or the work dir's newest; without one a new run starts."""
    if given != 'auto':
        _require_file(given, 'checkpoint given to --resume')
        cfg.load_from = given
    elif checkpoints_newest_first(cfg.work_dir):
        cfg.load_from = None
    elif cfg.get('load_from'):  # else the runner says it
        print_log(nothing_to_resume(cfg.work_dir, cfg.filename), 'current', logging.WARNING)
    # MMEngine would resume from load_from, which is what a new run starts from
    cfg.resume = given != 'auto' or not cfg.get('load_from')


def _set_precision(optim_wrapper: ConfigDict, dtype: str | None) -> None:
    """Mixed precision in ``dtype``; None: float32 throughout, whatever the config says."""
    if dtype is None:
        optim_wrapper.type = OptimWrapper
        for key in ('dtype', 'loss_scale'):
            optim_wrapper.pop(key, None)
        return
    optim_wrapper.update(type=AmpOptimWrapper, dtype=dtype)
    if dtype == 'float16':
        optim_wrapper.setdefault('loss_scale', 'dynamic')


def _limit_labels(cfg: Config, args: argparse.Namespace) -> None:
    """Train on a part of the images, where the command line says so."""
    subset = dict(fraction=args.label_fraction, subset_seed=args.label_seed)
    subset = {key: value for key, value in subset.items() if value is not None}
    if not subset:
        return
    from semcl_mm.downstream import LabelSubset  # builds on this package; takes a second

    dataset = cfg.train_dataloader.dataset
    if dataset.type in (LabelSubset, LabelSubset.__name__):
        dataset.update(subset)
    elif 'fraction' not in subset:
        raise ValueError(f'{args.config}: --label-seed needs --label-fraction here')
    else:
        cfg.train_dataloader.dataset = dict(type=LabelSubset, dataset=dataset, **subset)


def _fit_dataloaders(cfg: Config, args: argparse.Namespace) -> None:
    for name in _DATALOADERS:
        loader = cfg.get(name)
        if loader is None:
            continue
        loader.setdefault('pin_memory', torch.cuda.is_available())
        if args.no_pin_memory:
            loader.pin_memory = False
        if getattr(args, 'no_persistent_workers', False) or loader.get('num_workers', 0) == 0:
            loader.persistent_workers = False


def _require_file(path: str, what: str) -> None:
    if not Path(path).is_file():
        raise FileNotFoundError(f'{what} not found: {path}')
