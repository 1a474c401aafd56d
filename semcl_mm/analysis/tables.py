"""Result tables: what a paper printed, what was measured here, and the difference."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from semcl_mm.analysis.paper_cells import belongs_to, choose_cells, departures
from semcl_mm.analysis.records import TRAINING
from semcl_mm.analysis.starts import draw, label_share, start_key, start_names
from semcl_mm.analysis.table_text import Row, format_rows

__all__ = [
    'Row',
    'format_rows',
    'main_metric',
    'measured_metrics',
    'measured_rows',
    'paper_rows',
]


def measured_rows(records: Iterable[dict], metric: str | None = None) -> list[Row]:
    """Groups finished runs over their seeds; of two runs of one seed the newer counts.

    Args:
        records: Run records.
        metric: Show this metric alone, be it of an evaluation or of the training
            (``train/loss``); None shows the first of an evaluation.

    Returns:
        One row per config, initial weights and metric, in the order of the records: runs side by
        side start in any order. Two pretrainings are two starts unless they differ in the seed
        alone.
    """
    rows: dict[tuple, Row] = {}
    newest: dict[tuple, tuple[str, float]] = {}
    records = list(records)
    names = start_names(records)
    for record in records:
        metrics = record['metrics_final']
        name = metric or main_metric(metrics)
        if record['status'] != 'finished' or name not in metrics:
            continue
        task = Path(record['config']).stem
        if record.get('protocol'):
            task = f'{task} ({record["protocol"]})'
        share = label_share(record)
        if share < 1.0:
            task = f'{task} ({100 * share:g} % of the labels)'
        family, start = Path(record['config']).parent.name, start_key(record)
        key = (task, record['config_hash'], start, name, family)
        rows.setdefault(key, Row(task, names[start], name))
        slot, started = (key, draw(record)), record['started']
        if slot not in newest or started >= newest[slot][0]:
            newest[slot] = started, metrics[name]
    for (key, _), (_, value) in newest.items():
        rows[key].values.append(value)
    families: dict[str, set[str]] = {}
    for task, *_, family in rows:
        families.setdefault(task, set()).add(family)
    for (task, *_, family), row in rows.items():
        if len(families[task]) > 1:  # files of one name in two folders
            row.task = f'{family}/{task}'
    return list(rows.values())


def paper_rows(
    numbers: Iterable[dict], records: Sequence[dict], paper: str, table: str | None = None
) -> list[Row]:
    """A paper's table with our numbers beside it.

    A run counts for a cell if its config's ``paper_cell`` names paper, table, data set, backbone
    and metric (one or a list; and model, where given), and what it started from (or
    ``paper_cell.variant``) is the cell's variant. ``paper_cell.pretraining`` names the algorithm
    that must have made the start, for cells whose variant says something else, and
    ``paper_cell.models`` the model by the name of the pretraining's config (where others made the
    weights, ``start='imagenet'``, it is ``paper_cell.model``). Run and pretraining
    must follow their config files to the letter, on data of the published size
    (``as_published``): a row says how many that belong to it are left out for that, and why. The
    pairs must be those of the cell's data set, or of ``paper_cell.pairs_of``.
    ``paper_cell.protocol`` names how the paper tests, and the record must say that its metrics were
    measured so; ``paper_cell.start`` the kind of weights that the paper's runs began with, which
    the variant does not say (:data:`~semcl_mm.analysis.paper_cells.STARTS`). Of two runs of one
    seed the newer counts.

    Args:
        numbers: What :func:`read_paper_numbers` gave.
        records: Run records.
        paper: Name of the paper, in any case.
        table: Number of the table; None takes all of them.

    Raises:
        ValueError: no such paper or table; the message lists those that exist.
    """
    rows = []
    for cell in choose_cells(numbers, paper, table):
        task = ' '.join(cell[k] for k in ('dataset', 'split', 'model', 'backbone') if cell[k])
        own = [
            record
            for record in sorted(records, key=lambda r: r['started'])
            if belongs_to(record, cell) and cell['metric'] in record['metrics_final']
        ]
        by_seed = {
            draw(record): record['metrics_final'][cell['metric']]
            for record in own
            if not departures(record)
        }
        values = list(by_seed.values())
        shown = cell['variant'], cell['metric'], cell['value'], cell['std'], values
        rows.append(Row(task, *shown, _left_out(own), paper_digits=cell['digits']))
    return rows


def _left_out(records: Iterable[dict]) -> str:
    reasons = [found for record in records if (found := departures(record))]
    names = dict.fromkeys(name for found in reasons for name in found)
    return f'{len(reasons)} left out: {", ".join(names)}' if reasons else ''


def measured_metrics(metrics: Mapping[str, float]) -> dict[str, float]:
    """The metrics of an evaluation, without what the training logged (``train/loss``…)."""
    return {name: value for name, value in metrics.items() if not name.startswith(TRAINING)}


def main_metric(metrics: Mapping[str, float]) -> str | None:
    """The metric that stands for a run where none is asked for; None where nothing was tested."""
    measured = measured_metrics(metrics)
    return 'mIoU' if 'mIoU' in measured else next(iter(measured), None)
