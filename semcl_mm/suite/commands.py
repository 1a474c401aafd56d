"""The command lines of a cell: tools/train.py and, for a test over scales, tools/test.py."""

import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from semcl_mm.suite import REPOSITORY
from semcl_mm.suite.cells import Cell
from semcl_mm.suite.facts import label_words, option_words

__all__ = ['Tools', 'train_arguments']

TOOLS = REPOSITORY / 'tools'


@dataclass(frozen=True)
class Tools:
    """The programs that cells call; tests put others in their place."""

    train: Sequence[str] = (sys.executable, '-W', 'ignore', f'{TOOLS}/train.py')
    test: Sequence[str] = (sys.executable, '-W', 'ignore', f'{TOOLS}/test.py')
    initial: Sequence[str] = (sys.executable, '-W', 'ignore', f'{TOOLS}/misc/initial_backbone.py')

    def stages(self, cell: Cell, work: Path, processes: int, start: Path | None) -> list[list[str]]:
        """The commands of a cell; each one's success calls for the next.

        Args:
            cell: What to run.
            work: Folder of the suite's runs.
            processes: More than one: under ``tools/dist_train.sh``.
            start: The checkpoint to start from.
        """
        folder = work / cell.name
        if cell.kind == 'initial':
            out = f'{folder}.pth'
            return [[*self.initial, cell.config, out, '--seed', str(cell.seed)]]
        options = train_arguments(cell, folder, None if start is None else str(start))
        if processes == 1:
            stages = [[*self.train, cell.config, *options]]
        else:
            stages = [[f'{TOOLS}/dist_train.sh', cell.config, str(processes), *options]]
        if cell.tta:
            stages.append([*self.test, cell.config, 'LAST', '--tta', '--work-dir', str(folder)])
            stages[-1] += _options(cell)
        return stages


def train_arguments(cell: Cell, folder: Path, start: str | None) -> list[str]:
    """What follows the config; ``--resume`` goes on where the folder holds a checkpoint."""
    words = ['--work-dir', str(folder), '--seed', str(cell.seed), '--resume']
    if start is not None:
        words += ['--pretrained', start]
    return words + label_words(cell) + _options(cell)


def environment(gpus: Sequence[str] = ()) -> dict[str, str]:
    """One thread a run where nothing else is said, since runs share the cores; its own GPUs."""
    own = {'CUDA_VISIBLE_DEVICES': ','.join(gpus)} if gpus else {}
    return {'OMP_NUM_THREADS': '1', **os.environ, **own}


def gpu_names() -> list[str]:
    """This machine's GPUs as CUDA_VISIBLE_DEVICES names them, of those that it leaves visible."""
    count = torch.cuda.device_count()
    visible = os.environ.get('CUDA_VISIBLE_DEVICES')
    names = visible.split(',') if visible else [str(i) for i in range(count)]
    return [name.strip() for name in names[:count]]


def as_text(command: Sequence[str]) -> str:
    """A command as one would type it."""
    return shlex.join(os.path.relpath(w) if w.startswith(f'{TOOLS}/') else w for w in command)


def _options(cell: Cell) -> list[str]:
    words = option_words(cell.options, cell.where)
    return ['--cfg-options', *words] if words else []
