"""Where a run comes from: code, libraries, machine, config and initial weights."""

import hashlib
import platform
import re
import resource
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config

import semcl_mm

__all__ = [
    'as_published',
    'config_hash',
    'device_name',
    'file_hash',
    'git_commit',
    'peak_memory',
    'versions',
]

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
    'trust_checkpoint',
)

# … and anywhere in it: which images a subset of the labels holds (the record says that) …
_OF_A_SEED = ('subset_seed',)
# … and where a machine says where its data lie and how they are read.
_OF_THE_MACHINE = ('data_root', 'index', 'num_workers', 'persistent_workers', 'pin_memory')


def config_hash(cfg: Config) -> str:
    """12 hexadecimal digits that name an experiment whatever its seed, start, place or machine."""
    kept = {key: value for key, value in cfg.to_dict().items() if key not in _NOT_THE_EXPERIMENT}
    kept = _without(kept, (*_OF_THE_MACHINE, *_OF_A_SEED))
    text = re.sub(r' at 0x[0-9a-f]+', '', Config(kept).pretty_text)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _without(node: Any, keys: tuple[str, ...]) -> Any:
    if isinstance(node, dict):
        return {key: _without(value, keys) for key, value in node.items() if key not in keys}
    if isinstance(node, (list, tuple)):
        return [_without(value, keys) for value in node]
    return node


def as_published(cfg: Config, batch_size: int) -> bool:
    """Whether a run follows its config file to the letter, batch size of the recipe included.

    Only such a run may stand beside a paper's number.
    """
    recipe = cfg.get('auto_scale_lr', {}).get('base_batch_size', batch_size)
    published = Config.fromfile(cfg.filename) if cfg.filename else cfg
    return batch_size == recipe and config_hash(cfg) == config_hash(published)


def file_hash(path: str | Path) -> str:
    """The first 8 hexadecimal digits of a file's SHA-256."""
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()[:8]


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
