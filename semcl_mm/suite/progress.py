"""How long a suite still takes, from what its finished and running cells took."""

import json
import statistics
import time
from collections.abc import Iterable
from pathlib import Path

from semcl_mm.analysis.curves import read_scalars
from semcl_mm.suite.cells import Cell
from semcl_mm.suite.state import results

__all__ = ['duration', 'fraction_done', 'seconds_left']


def seconds_left(
    waiting: Iterable[Cell],
    running: Iterable[tuple[Cell, float, float]],
    finished: Iterable[tuple[Cell, float]],
    jobs: int,
) -> float | None:
    """An estimate: cells of one config and options take alike, unknown ones as long as the mean.

    Args:
        waiting: Cells that have not started.
        running: Cells with the seconds they have run and the share that they did in that time.
        finished: Cells with the seconds they took.
        jobs: How many run side by side.

    Returns:
        Seconds, or None while nothing is known.
    """
    known: dict[tuple, list[float]] = {}
    for cell, seconds in finished:
        known.setdefault(_kind(cell), []).append(seconds)
    running = list(running)
    for cell, seconds, share in running:
        if share > 0.02:
            known.setdefault(_kind(cell), []).append(seconds / share)
    if not known:
        return None
    means = {kind: statistics.fmean(values) for kind, values in known.items()}
    other = statistics.fmean(means.values())
    left = sum(means.get(_kind(cell), other) for cell in waiting)
    left += sum(max(means.get(_kind(c), other) - seconds, 0.0) for c, seconds, _ in running)
    return left / jobs


def fraction_done(cell: Cell, work: Path) -> float:
    """The share of a run's iterations that were logged, 0 where nothing is known."""
    records = [r for r in results(cell, work) if not r.get('protocol')]
    if not records:
        return 0.0
    record = records[-1]
    try:
        logged = [e.get('step', 0) for e in read_scalars(Path(record['file']).parent)]
    except (FileNotFoundError, ValueError, json.JSONDecodeError):  # the last line is half written
        logged = []
    return min(max([record['iterations'], *logged]) / max(record['max_iters'], 1), 1.0)


def duration(seconds: float) -> str:
    """'42 s', '12 min', '3 h 20 min', '2 d 4 h'."""
    if seconds < 90:
        return f'{seconds:.0f} s'
    minutes = round(seconds / 60)
    if minutes < 60:
        return f'{minutes} min'
    hours, minutes = divmod(minutes, 60)
    return f'{hours} h {minutes:02} min' if hours < 48 else f'{hours // 24} d {hours % 24} h'


def clock() -> str:
    """The time of day."""
    return time.strftime('%H:%M:%S')


def _kind(cell: Cell) -> tuple:
    return cell.config, str(cell.options), cell.labels, cell.tta
