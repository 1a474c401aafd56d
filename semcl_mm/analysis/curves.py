"""Curves of what runs logged."""

import json
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use('Agg')

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from semcl_mm.analysis.pictures import save_picture

__all__ = ['draw_curves', 'plot_curves', 'read_scalars']

SCALARS = 'vis_data/scalars.json'


def read_scalars(run: str | Path) -> list[dict]:
    """What a run logged, oldest first; several starts of a resumed run follow each other.

    The last line of a file may be half of one, where a run was killed: it is left out.

    Args:
        run: A work dir, one of its time-stamped folders, or a ``scalars.json``.

    Raises:
        FileNotFoundError: nothing was logged there.
        ValueError: a line is not JSON, naming file and line.
    """
    run = Path(run)
    files = [run] if run.is_file() else sorted([*run.glob(SCALARS), *run.glob(f'*/{SCALARS}')])
    if not files:
        raise FileNotFoundError(f'{run}: no {SCALARS} in it or one folder below')
    entries = []
    for file in files:
        lines = file.read_text(errors='replace').splitlines()
        for number, line in enumerate(lines, 1):
            try:
                entries.append(json.loads(line))
            except json.JSONDecodeError as error:
                if number == len(lines):
                    break
                raise ValueError(f'{file}:{number}: not JSON ({error})') from error
    return entries


def plot_curves(
    runs: Sequence[str | Path], keys: Sequence[str], out: str | Path, smooth: int = 1
) -> None:
    """Writes the picture of :func:`draw_curves`; the suffix of ``out`` chooses the format."""
    figure = draw_curves(runs, keys, smooth)
    save_picture(figure, out)
    plt.close(figure)


def draw_curves(runs: Sequence[str | Path], keys: Sequence[str], smooth: int = 1) -> Figure:
    """Draws one panel per key and one line per run.

    Args:
        runs: What :func:`read_scalars` takes.
        keys: Logged names, e.g. ``loss``, ``lr``, ``mIoU``.
        smooth: Width of a running mean, in logged points.

    Raises:
        ValueError: no run logged a key; the message lists what was logged.
    """
    logged = {_name(run): read_scalars(run) for run in runs}
    figure, axes = plt.subplots(
        1, len(keys), figsize=(5 * len(keys), 3.4), squeeze=False, layout='constrained'
    )
    for axis, key in zip(axes[0], keys, strict=True):
        for name, entries in logged.items():
            points = sorted(
                {e['step']: e[key] for e in entries if key in e and 'step' in e}.items()
            )
            if points:
                steps, values = np.array(points, dtype=float).T
                axis.plot(steps, _running_mean(values, smooth), label=name, linewidth=1.4)
        if not axis.lines:
            known = sorted({k for entries in logged.values() for e in entries for k in e})
            raise ValueError(f'no run logged {key!r}; logged are {known}')
        axis.set(xlabel='iteration', title=key)
        axis.grid(alpha=0.25)
        axis.spines[['top', 'right']].set_visible(False)
    axes[0][0].legend(frameon=False, fontsize=8)
    return figure


def _name(run: str | Path) -> str:
    path = Path(run).resolve()
    return path.parents[2].name if path.is_file() else path.name


def _running_mean(values: np.ndarray, width: int) -> np.ndarray:
    if width <= 1:
        return values
    padded = np.cumsum(np.concatenate([[0.0], values]))
    starts = np.maximum(np.arange(len(values)) - width + 1, 0)
    return (padded[1:] - padded[starts]) / (np.arange(1, len(values) + 1) - starts)
