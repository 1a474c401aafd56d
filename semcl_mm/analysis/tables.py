"""Result tables: what a paper printed, what was measured here, and the difference."""

import csv
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

__all__ = [
    'Row',
    'format_rows',
    'initial_name',
    'measured_rows',
    'paper_cells',
    'paper_rows',
    'read_paper_numbers',
]

UNMEASURED = '—'
COLUMNS = ('task', 'initial weights', 'metric', 'paper', 'ours', 'difference', 'n')
_CELL_KEYS = ('paper', 'table', 'dataset', 'backbone')


@dataclass
class Row:
    """One line of a table.

    Attributes:
        task: Config or data set and backbone.
        initial: What the backbone started from.
        metric: Name of the metric.
        paper: The printed number, in the metric's unit; None where no paper has one.
        paper_std: The printed standard deviation.
        values: What our finished runs reached, one value per seed.
    """

    task: str
    initial: str
    metric: str
    paper: float | None = None
    paper_std: float | None = None
    values: list[float] = field(default_factory=list)

    def cells(self) -> tuple[str, ...]:
        """The texts of :data:`COLUMNS`; what was not measured is an em dash."""
        mean = statistics.fmean(self.values) if self.values else None
        std = statistics.stdev(self.values) if len(self.values) > 1 else None
        difference = None if mean is None or self.paper is None else mean - self.paper
        return (
            self.task,
            self.initial,
            self.metric,
            _number(self.paper, self.paper_std),
            _number(mean, std),
            UNMEASURED if difference is None else f'{difference:+.{_digits(self.paper)}f}',
            str(len(self.values)),
        )


def read_paper_numbers(path: str | Path) -> list[dict]:
    """Reads ``configs/paper_numbers.csv``: one dict per printed number.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a value is not a number, naming the line.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'{path}: the table of printed numbers is missing')
    with path.open(newline='') as file:
        rows = list(csv.DictReader(file))
    for line, row in enumerate(rows, 2):
        for key in ('value', 'std'):
            try:
                row[key] = float(row[key]) if row[key] else None
            except ValueError:
                raise ValueError(f'{path}:{line}: {key} {row[key]!r} is not a number') from None
    return rows


def initial_name(record: dict, config: bool = True) -> str:
    """What a run started from: a method and its config, a file, or 'random'.

    Args:
        record: A run record.
        config: Name the config of the pretraining, not its method alone.
    """
    initial = record['initialised_from']
    if isinstance(initial, str):
        return initial
    run = initial.get('run')
    if run:
        return f'{run["algorithm"]} ({Path(run["config"]).stem})' if config else run['algorithm']
    source = initial.get('source') or ''
    return (
        'random' if source.startswith('random initialisation') else Path(initial['checkpoint']).stem
    )


def measured_rows(records: Iterable[dict], metric: str | None = None) -> list[Row]:
    """Groups finished runs over their seeds; of two runs of one seed the newer counts.

    Args:
        records: Run records.
        metric: Show this metric alone; None shows the first that a run reports.

    Returns:
        One row per config, initial weights and metric, in the order of first appearance. Two
        pretrainings are two starts unless they differ in the seed alone.
    """
    rows: dict[tuple, Row] = {}
    seeds: dict[tuple, float] = {}
    for record in sorted(records, key=lambda r: r['started']):
        metrics = record['metrics_final']
        if record['status'] != 'finished' or not metrics:
            continue
        name = metric or _main_metric(metrics)
        if name not in metrics:
            continue
        task = Path(record['config']).stem
        if record.get('protocol'):
            task = f'{task} ({record["protocol"]})'
        initial, run = initial_name(record), {}
        if not isinstance(record['initialised_from'], str):
            run = record['initialised_from'].get('run') or {}
        key = (task, record['config_hash'], initial, run.get('config_hash'), name)
        rows.setdefault(key, Row(task, initial, name))
        seeds[key, record['seed']] = metrics[name]
    for (key, _), value in seeds.items():
        rows[key].values.append(value)
    return list(rows.values())


def paper_rows(
    numbers: Iterable[dict], records: Sequence[dict], paper: str, table: str | None = None
) -> list[Row]:
    """A paper's table with our numbers beside it.

    A run counts for a cell if its config's ``paper_cell`` names paper, table, data set, backbone
    and metric (one or a list; and model, where given), and what it started from (or
    ``paper_cell.variant``) is the cell's variant. ``paper_cell.pretraining`` names the algorithm
    that must have made the start, for cells whose variant says something else, and
    ``paper_cell.models`` the model by the name of the pretraining's config. Run and pretraining
    must follow their config files to the letter (``as_published``), and the pairs be those of the
    cell's data set, or of ``paper_cell.pairs_of``. ``paper_cell.protocol`` names how the paper
    tests, and the record must say that its metrics were measured so. Of two runs of one seed the
    newer counts.

    Args:
        numbers: What :func:`read_paper_numbers` gave.
        records: Run records.
        paper: Name of the paper, in any case.
        table: Number of the table; None takes all of them.

    Raises:
        ValueError: no such paper or table; the message lists those that exist.
    """
    numbers = list(numbers)
    chosen = [row for row in numbers if row['paper'].lower() == paper.lower()]
    if not chosen:
        raise ValueError(f'no paper {paper!r}; there are {sorted({r["paper"] for r in numbers})}')
    if table is not None:
        tables = sorted({row['table'] for row in chosen})
        chosen = [row for row in chosen if row['table'].lower() == str(table).lower()]
        if not chosen:
            raise ValueError(f'{paper} has no table {table!r} here; there are {tables}')
    rows = []
    for cell in chosen:
        task = ' '.join(cell[k] for k in ('dataset', 'split', 'model', 'backbone') if cell[k])
        by_seed = {
            record['seed']: record['metrics_final'][cell['metric']]
            for record in sorted(records, key=lambda r: r['started'])
            if _measures(record, cell) and cell['metric'] in record['metrics_final']
        }
        values = list(by_seed.values())
        rows.append(Row(task, cell['variant'], cell['metric'], cell['value'], cell['std'], values))
    return rows


def format_rows(rows: Sequence[Row], form: str = 'md') -> str:
    """Rows as a markdown (``md``), ``csv`` or LaTeX (``latex``) table."""
    lines = [COLUMNS, *(row.cells() for row in rows)]
    if form == 'csv':
        return '\n'.join(','.join(_quoted(cell) for cell in line) for line in lines)
    if form == 'latex':
        body = [' & '.join(_escaped(cell) for cell in line) + r' \\' for line in lines]
        head = [r'\begin{tabular}{lllrrrr}', r'\toprule', body[0], r'\midrule']
        return '\n'.join([*head, *body[1:], r'\bottomrule', r'\end{tabular}'])
    widths = [max(len(line[i]) for line in lines) for i in range(len(COLUMNS))]
    padded = [[cell.ljust(w) for cell, w in zip(line, widths, strict=True)] for line in lines]
    ruler = ['-' * w for w in widths]
    return '\n'.join('| ' + ' | '.join(line) + ' |' for line in [padded[0], ruler, *padded[1:]])


def paper_cells(own: Mapping) -> list[dict]:
    """The cells that a config's ``paper_cell`` names.

    One run may be several rows of a paper, such as the baseline of three tables: ``also`` lists
    what the others have different.
    """
    first = {key: value for key, value in own.items() if key != 'also'}
    return [first, *({**first, **other} for other in own.get('also', ()))]


def _measures(record: dict, cell: dict) -> bool:
    if not record.get('paper_cell') or not record.get('as_published'):
        return False
    initial = record['initialised_from']
    run = (initial.get('run') if isinstance(initial, dict) else None) or {}
    if run and not run.get('as_published'):
        return False
    if record['status'] != 'finished':
        return False
    algorithm, config = initial_name(record, config=False), Path(run.get('config') or '').stem
    return any(
        own.get('pretraining', algorithm) == algorithm
        and run.get('pairs_of') in (None, own.get('pairs_of', cell['dataset']))
        and ('models' not in own or own['models'].get(config) == cell['model'])
        and own.get('protocol') == record.get('protocol')
        and _is_cell({**own, 'variant': own.get('variant') or algorithm}, cell)
        for own in paper_cells(record['paper_cell'])
    )


def _is_cell(own: dict, cell: dict) -> bool:
    if any(own.get(key, cell[key]) != cell[key] for key in ('model', 'split')):
        return False
    metrics = own.get('metric')
    if cell['metric'] not in (metrics if isinstance(metrics, (list, tuple)) else [metrics]):
        return False
    return all(str(own.get(key)) == cell[key] for key in (*_CELL_KEYS, 'variant'))


def _main_metric(metrics: dict) -> str:
    return 'mIoU' if 'mIoU' in metrics else next(iter(metrics))


def _number(value: float | None, std: float | None) -> str:
    if value is None or math.isnan(value):
        return UNMEASURED
    digits = _digits(value)
    spread = '' if std is None else f' ± {std:.{digits}f}'
    return f'{value:.{digits}f}{spread}'


def _digits(value: float) -> int:
    return 3 if abs(value) < 1.5 else 2  # depth errors and deltas are around 0.1 or 1


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if ',' in cell or '"' in cell else cell


def _escaped(cell: str) -> str:
    for plain, latex in (('_', r'\_'), ('%', r'\%'), ('&', r'\&'), ('±', r'$\pm$'), ('—', '---')):
        cell = cell.replace(plain, latex)
    return cell
