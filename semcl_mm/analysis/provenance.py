"""Where a run comes from: code, libraries, machine, config and initial weights."""

import hashlib
import platform
import re
import resource
import subprocess
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config

import semcl_mm
from semcl_mm.analysis.paper_cells import start_kind
from semcl_mm.checkpoint import file_sha256

__all__ = [
    'EVALUATION_SET',
    'config_hash',
    'deviations',
    'device_name',
    'evaluation_hash',
    'file_hash',
    'git_commit',
    'peak_memory',
    'read_published',
    'size_deviations',
    'start_deviations',
    'versions',
]

#: What :func:`deviations` calls the data set that a run is tested on.
EVALUATION_SET = 'evaluation set'
_PACKAGES = (
    'torch',
    'torchvision',
    'timm',
    'numpy',
    'onedl-mmengine',
    'onedl-mmcv',
    'onedl-mmpretrain',
    'onedl-mmsegmentation',
    'onedl-mmdetection',
)
# What two seeds, two machines or two starts of one experiment may differ in.
_NOT_THE_EXPERIMENT = (
    'work_dir',
    'launcher',
    'resume',
    'load_from',
    'pretrained',
    'randomness',
    'visualizer',
    'experiment_name',
    'paper_cell',
    'expected_samples',
    'expected_start',
    'trust_checkpoint',
)

# … and anywhere in it: which images a subset of the labels holds (the record says that) …
_OF_A_SEED = ('subset_seed',)
# … and where a machine says where its data lie, how they are read, and how memory is laid out.
_OF_THE_MACHINE = (
    'data_root',
    'index',
    'num_workers',
    'persistent_workers',
    'pin_memory',
    'channels_last',
)


def config_hash(cfg: Config) -> str:
    """12 hexadecimal digits that name an experiment whatever its seed, start, place or machine."""
    kept = {key: value for key, value in cfg.to_dict().items() if key not in _NOT_THE_EXPERIMENT}
    return _digest(_without(kept, (*_OF_THE_MACHINE, *_OF_A_SEED)))


def _digest(entries: dict) -> str:
    text = re.sub(r' at 0x[0-9a-f]+', '', Config(entries).pretty_text)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _without(node: Any, keys: tuple[str, ...]) -> Any:
    if isinstance(node, dict):
        return {key: _without(value, keys) for key, value in node.items() if key not in keys}
    if isinstance(node, (list, tuple)):
        return [_without(value, keys) for value in node]
    return node


def evaluation_hash(cfg: Config, averaged: bool) -> str | None:
    """12 hexadecimal digits that name how a config tests: network, data, pipeline and metrics.

    Args:
        cfg: A config, ``tools/test.py --tta``'s included.
        averaged: Over scales and flips, or in one pass.

    Returns:
        The digits; None where the config tests nothing.
    """
    entries = cfg.to_dict()
    loader, model = entries.get('test_dataloader'), entries['model']
    if not loader:
        return None
    kept = {key: entries.get(key) for key in ('test_cfg', 'test_evaluator')}
    if averaged:
        model = model.get('module', model)
        kept |= {key: entries.get(key) for key in ('tta_model', 'tta_pipeline')}
        loader = {**loader, 'dataset': {**loader['dataset'], 'pipeline': None}}
    kept |= {'model': model, 'test_dataloader': loader}
    return _digest(_without(kept, (*_OF_THE_MACHINE, 'batch_size')))


def read_published(cfg: Config) -> Config:
    """The config file as it lies on disk, without what a command line changed."""
    return Config.fromfile(cfg.filename) if cfg.filename else cfg


def deviations(cfg: Config, batch_size: int, samples: Mapping[str, int]) -> dict[str, str]:
    """How a run departs from its config file; only one that does not may stand beside a paper's.

    Where its data lie is the user's affair, how many they are is not: see
    :func:`size_deviations`.

    Args:
        cfg: The config of the run.
        batch_size: Samples of an update, over all processes and accumulated batches.
        samples: Size of the data set of each split, ``train`` and ``val``.

    Returns:
        What departs (``config``, ``batch size``, ``training set``, ``evaluation set``) and how.
    """
    published = read_published(cfg)
    recipe = cfg.get('auto_scale_lr', {}).get('base_batch_size', batch_size)
    found = {}
    if config_hash(cfg) != config_hash(published):
        found['config'] = f'other settings than in {cfg.filename}'
    if batch_size != recipe:
        found['batch size'] = f'{batch_size}, not {recipe}'
    return found | size_deviations(published, samples)


def size_deviations(published: Config, samples: Mapping[str, int]) -> dict[str, str]:
    """Which data sets are smaller or larger than ``expected_samples`` of a config says.

    ``expected_samples = dict(train=10582, val=1449)``; a list names several editions of a data
    set. ``tolerance`` is the share by which ``train`` may differ, for numbers that depend on more
    than an official list (0 where it is missing). A split that is not named is not compared.
    """
    expected = published.get('expected_samples') or {}
    found = {}
    for split, name in (('train', 'training set'), ('val', EVALUATION_SET)):
        if split not in expected or split not in samples:
            continue
        known = expected[split] if isinstance(expected[split], list) else [expected[split]]
        share = expected.get('tolerance', 0.0) if split == 'train' else 0.0
        if all(abs(samples[split] - number) > share * number for number in known):
            about = 'about ' if share else ''
            listed = ' or '.join(f'{number:,}' for number in known)
            found[name] = f'{samples[split]:,} samples, not {about}{listed}'
    return found


def start_deviations(cfg: Config, initial: str | dict) -> dict[str, str]:
    """Whether a run began with other weights than its config says the paper's did.

    Args:
        cfg: The config; ``expected_start`` is one of
            :data:`~semcl_mm.analysis.paper_cells.STARTS`, or missing.
        initial: ``initialised_from`` of the record.
    """
    expected, found = read_published(cfg).get('expected_start'), start_kind(initial)
    return {'start': f'{found}, not {expected}'} if expected not in (None, found) else {}


def file_hash(path: str | Path) -> str:
    """The first 8 hexadecimal digits of a file's SHA-256."""
    return file_sha256(path)[:8]


def git_commit() -> str | None:
    """The commit of the checkout that this package lies in, ``+`` where files were changed."""

    def git(*arguments: str) -> str:
        folder = Path(semcl_mm.__file__).parent
        command = ['git', '-C', str(folder), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        return git('rev-parse', 'HEAD') + ('+' if git('status', '--porcelain', '-uno') else '')
    except (OSError, subprocess.CalledProcessError):
        return None


def versions() -> dict[str, str]:
    """Versions of what decides a result."""
    found = {'semcl_mm': semcl_mm.__version__, 'python': platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = 'not installed'
    return found


def device_name() -> str:
    """The GPU's name, or the CPU's architecture and thread count."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f'CPU {platform.machine()}, {torch.get_num_threads()} threads'


def peak_memory() -> dict[str, float]:
    """Peak memory of this process so far, in MiB: resident, and allocated on the GPU."""
    unit = 2**20 if sys.platform == 'darwin' else 2**10
    peak = {'resident_mib': resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit}
    if torch.cuda.is_available():
        peak['gpu_mib'] = torch.cuda.max_memory_allocated() / 2**20
    return {name: round(value, 1) for name, value in peak.items()}
