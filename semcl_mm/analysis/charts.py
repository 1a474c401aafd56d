"""Bars with error bars, and what a metric loses with the labels."""

import math
import re
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import matplotlib

matplotlib.use('Agg')

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from semcl_mm.analysis.curves import read_scalars
from semcl_mm.analysis.starts import draw, label_share, start_key, start_names
from semcl_mm.analysis.table_text import Row
from semcl_mm.analysis.tables import measured_rows

__all__ = ['bars', 'label_fractions', 'label_points', 'losses', 'monitors', 'start_colours']

MONITOR = 'monitor/'  # of the logged names


def bars(records: Iterable[dict], metric: str | None = None) -> Figure:
    """One bar per task and start: the mean, its deviation, and every seed as a dot.

    Args:
        records: Run records.
        metric: Draw this metric alone; None takes the first of each run.

    Raises:
        ValueError: no finished run reports it.
    """
    records = list(records)
    rows = [row for row in measured_rows(records, metric) if row.defined]
    if not rows:
        raise ValueError(f'no finished run reports {metric or "a metric"}')
    names = list(dict.fromkeys(row.metric for row in rows))
    figure, axes = plt.subplots(
        len(names),
        1,
        figsize=(7, 1.2 + sum(0.32 * _count(rows, n) for n in names)),
        height_ratios=[_count(rows, n) for n in names],
        squeeze=False,
        layout='constrained',
    )
    colours = start_colours(records)
    for axis, name in zip(axes[:, 0], names, strict=True):
        chosen = sorted((row for row in rows if row.metric == name), key=lambda row: row.task)
        for place, row in enumerate(chosen):
            spread = statistics.stdev(row.defined) if len(row.defined) > 1 else 0.0
            mean = statistics.fmean(row.defined)
            axis.barh(place, mean, 0.7, color=colours[row.initial], alpha=0.85)
            axis.errorbar(mean, place, xerr=spread, color='black', capsize=2, linewidth=1)
            axis.plot(row.defined, [place] * len(row.defined), '.', color='black', markersize=3)
        labels = [f'{row.task} · {row.initial} (n={len(row.defined)})' for row in chosen]
        axis.set_yticks(range(len(chosen)), labels, fontsize=7)
        axis.set(xlabel=name)
        axis.invert_yaxis()
        axis.spines[['top', 'right']].set_visible(False)
    return figure


def start_colours(records: Iterable[dict]) -> dict[str, tuple]:
    """A colour per start of these runs, by its name: the same in all charts of the same records."""
    names = sorted(set(start_names(records).values()))
    return dict(zip(names, plt.get_cmap('tab10').colors * (len(names) // 10 + 1), strict=False))


def label_points(
    records: Iterable[dict], metric: str = 'mIoU', names: Mapping[tuple, str] | None = None
) -> dict[str, dict[float, list[float]]]:
    """Finished runs by start and by the share of labels that they saw (no subset: all of them).

    Of two runs of one seed the newer counts, as in the tables.

    Args:
        records: Run records.
        metric: What is drawn.
        names: Of the starts, as :func:`start_names` gives; None: of those in ``records``.
    """
    records = sorted(records, key=lambda record: record['started'])
    names = start_names(records) if names is None else names
    newest: dict[tuple, float] = {}
    for record in records:
        finished = record['status'] == 'finished' and not record.get('protocol')
        value = record['metrics_final'].get(metric, math.nan)
        if finished and not math.isnan(value):
            place = names[start_key(record)], label_share(record)
            newest[(*place, draw(record))] = value
    points: dict[str, dict[float, list[float]]] = {}
    for (start, share, _), value in newest.items():
        points.setdefault(start, {}).setdefault(share, []).append(value)
    return points


def label_fractions(records: Sequence[dict], metric: str = 'mIoU') -> Figure:
    """A curve per start over the share of labels, with the deviation over the runs of each point.

    Only tasks that some run did with a part of the labels are drawn.

    Raises:
        ValueError: no finished run saw a part of the labels.
    """
    limited = {
        _task(record)
        for record in records
        if label_share(record) < 1.0
        and record['status'] == 'finished'
        and metric in record['metrics_final']
    }
    if not limited:
        raise ValueError(f'no finished run reports {metric!r} with a part of the labels')
    figure, axes = plt.subplots(
        1, len(limited), figsize=(5 * len(limited), 3.4), squeeze=False, layout='constrained'
    )
    names, colours = start_names(records), start_colours(records)
    for axis, task in zip(axes[0], sorted(limited), strict=True):
        chosen = [record for record in records if _task(record) == task]
        points = label_points(chosen, metric, names)
        for start, by_share in points.items():
            shares = sorted(by_share)
            means = [statistics.fmean(by_share[s]) for s in shares]
            deviations = [
                statistics.stdev(by_share[s]) if len(by_share[s]) > 1 else 0.0 for s in shares
            ]
            axis.errorbar([100 * s for s in shares], means, deviations, marker='o', capsize=2,
                          label=start, linewidth=1.4, color=colours[start])  # fmt: skip
        ticks = sorted({100 * s for by in points.values() for s in by})
        axis.set(xscale='log', xlabel='labelled images, %', ylabel=metric, title=task)
        axis.set_xticks(ticks, [f'{tick:g}' for tick in ticks])
        axis.minorticks_off()
        axis.grid(alpha=0.25)
        axis.spines[['top', 'right']].set_visible(False)
        axis.legend(frameon=False, fontsize=8)
    return figure


def losses(runs: Sequence[str | Path], columns: int = 4) -> Figure | None:
    """A small panel per experiment with a line per seed; None where no run logged a loss."""
    panels: dict[str, list[list[tuple[float, float]]]] = {}
    for run in runs:
        if points := _points(read_scalars(run), 'loss'):
            panels.setdefault(_experiment(run), []).append(points)
    return _panels(panels, columns)


def monitors(runs: Sequence[str | Path], columns: int = 4) -> Figure | None:
    """What the monitors of pretrainings measured: a panel per value and experiment, a line per
    seed; None where no run was monitored."""
    panels: dict[str, list[list[tuple[float, float]]]] = {}
    for run in runs:
        entries = read_scalars(run)
        for key in sorted({key for entry in entries for key in entry if key.startswith(MONITOR)}):
            name = f'{key.removeprefix(MONITOR)}\n{_experiment(run)}'
            panels.setdefault(name, []).append(_points(entries, key))
    return _panels(panels, columns)


def _points(entries: Sequence[dict], key: str) -> list[tuple[float, float]]:
    return sorted((e['step'], e[key]) for e in entries if key in e and 'step' in e)


def _experiment(run: str | Path) -> str:
    return re.sub(r'_seed\d+$', '', Path(run).name)


def _panels(
    panels: Mapping[str, Sequence[Sequence[tuple[float, float]]]], columns: int
) -> Figure | None:
    if not panels:
        return None
    lines = math.ceil(len(panels) / columns)
    figure, axes = plt.subplots(
        lines, columns, figsize=(2.6 * columns, 1.9 * lines), squeeze=False, layout='constrained'
    )
    for axis, (name, curves) in zip(axes.flat, panels.items(), strict=False):
        for curve in curves:
            axis.plot(*zip(*curve, strict=True), '.-' if len(curve) < 8 else '-', linewidth=1.2)
        axis.set_title(name.replace('_from_', '\nfrom '), fontsize=7)
        axis.tick_params(labelsize=6)
        axis.grid(alpha=0.25)
        axis.spines[['top', 'right']].set_visible(False)
    for axis in axes.flat[len(panels) :]:
        axis.set_visible(False)
    return figure


def _task(record: dict) -> str:
    """The config, whatever share of the labels its name says (``limited-10_…``)."""
    stem = record['config'].rsplit('/', 1)[-1].removesuffix('.py')
    first, _, rest = stem.partition('_')
    return f'limited_{rest}' if first.startswith('limited-') else stem


def _count(rows: Sequence[Row], metric: str) -> int:
    return sum(row.metric == metric for row in rows)
