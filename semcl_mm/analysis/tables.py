"""Result tables: what a paper printed, what was measured here, and the difference."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from semcl_mm.analysis.table_text import Row, format_rows

__all__ = [
    'STARTS',
    'Row',
    'choose_cells',
    'counts_for',
    'draw',
    'format_rows',
    'initial_name',
    'label_share',
    'main_metric',
    'measured_rows',
    'paper_cells',
    'paper_rows',
    'read_paper_numbers',
    'start_key',
    'start_names',
]

#: ``paper_cell.start``: no training, a pretraining of this tree, or weights of other people, which
#: for the papers' supervised networks are those of ImageNet's classifiers.
STARTS = ('random', 'ours', 'imagenet')
_CELL_KEYS = ('paper', 'table', 'dataset', 'backbone')


def read_paper_numbers(path: str | Path) -> list[dict]:
    """Reads ``configs/paper_numbers.csv``: one dict per printed number, ``digits`` its decimals.

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
        row['digits'] = len(row['value'].partition('.')[2])
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


def start_names(records: Iterable[dict]) -> dict[tuple, str]:
    """What tables and charts call the starts of these runs, by :func:`start_key`.

    Two starts of one name, such as one pretraining config with two sets of options, get the digits
    of their configs' hashes or files behind it.
    """
    names = {start_key(record): initial_name(record) for record in records}
    shown = list(names.values())
    return {
        key: name if shown.count(name) == 1 else f'{name} {(key[1] or "unknown")[:4]}'
        for key, name in names.items()
    }


def start_key(record: dict) -> tuple[str, str | None]:
    """What two runs from the same start have in common, whatever seed the start was made with."""
    initial = record['initialised_from']
    run = {} if isinstance(initial, str) else initial.get('run') or {}
    return initial_name(record), run.get('config_hash')


def label_share(record: dict) -> float:
    """The share of the labels that a run saw."""
    return (record.get('label_subset') or {}).get('fraction', 1.0)


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
    records = list(records)
    names = start_names(records)
    for record in sorted(records, key=lambda r: r['started']):
        metrics = record['metrics_final']
        if record['status'] != 'finished' or not metrics:
            continue
        name = metric or main_metric(metrics)
        if name not in metrics:
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
        seeds[key, draw(record)] = metrics[name]
    for (key, _), value in seeds.items():
        rows[key].values.append(value)
    families: dict[str, set[str]] = {}
    for task, *_, family in rows:
        families.setdefault(task, set()).add(family)
    for (task, *_, family), row in rows.items():
        if len(families[task]) > 1:  # files of one name in two folders
            row.task = f'{family}/{task}'
    return list(rows.values())


def choose_cells(numbers: Iterable[dict], paper: str, table: str | None = None) -> list[dict]:
    """The printed numbers of a paper, or of one of its tables; names in any case.

    A table that is printed in parts, such as 1a and 1b, is all of them: '1'.

    Raises:
        ValueError: no such paper or table; the message lists those that exist.
    """
    numbers = list(numbers)
    chosen = [row for row in numbers if row['paper'].lower() == paper.lower()]
    if not chosen:
        raise ValueError(f'no paper {paper!r}; there are {sorted({r["paper"] for r in numbers})}')
    if table is not None:
        tables = sorted({row['table'] for row in chosen})
        name = str(table).lower()
        parts = {name} if name in {t.lower() for t in tables} else {f'{name}{p}' for p in 'abc'}
        chosen = [row for row in chosen if row['table'].lower() in parts]
        if not chosen:
            raise ValueError(f'{paper} has no table {table!r} here; there are {tables}')
    return chosen


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
    tests, and the record must say that its metrics were measured so; ``paper_cell.start`` the kind
    of weights that the paper's runs began with (:data:`STARTS`), which the variant does not say. Of
    two runs of one seed the newer counts.

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
        by_seed = {
            draw(record): record['metrics_final'][cell['metric']]
            for record in sorted(records, key=lambda r: r['started'])
            if counts_for(record, cell) and cell['metric'] in record['metrics_final']
        }
        values = list(by_seed.values())
        shown = cell['variant'], cell['metric'], cell['value'], cell['std'], values
        rows.append(Row(task, *shown, paper_digits=cell['digits']))
    return rows


def paper_cells(own: Mapping) -> list[dict]:
    """The cells that a config's ``paper_cell`` names.

    One run may be several rows of a paper, such as the baseline of three tables: ``also`` lists
    what the others have different.
    """
    first = {key: value for key, value in own.items() if key != 'also'}
    return [first, *({**first, **other} for other in own.get('also', ()))]


def counts_for(record: dict, cell: dict) -> bool:
    """Whether a run is a measurement of a printed number; :func:`paper_rows` has the rules."""
    if not record.get('paper_cell') or not record.get('as_published'):
        return False
    initial = record['initialised_from']
    run = (initial.get('run') if isinstance(initial, dict) else None) or {}
    if run and not run.get('as_published'):
        return False
    if record['status'] != 'finished':
        return False
    start = _start(initial, run)
    algorithm, config = initial_name(record, config=False), Path(run.get('config') or '').stem
    return any(
        own.get('pretraining', algorithm) == algorithm
        and run.get('pairs_of') in (None, own.get('pairs_of', cell['dataset']))
        and ('models' not in own or own['models'].get(config) == cell['model'])
        and own.get('protocol') == record.get('protocol')
        and own.get('start', start) == start
        and _is_cell({**own, 'variant': own.get('variant') or algorithm}, cell)
        for own in paper_cells(record['paper_cell'])
    )


def _start(initial: str | dict, run: Mapping) -> str:
    """One of :data:`STARTS`: nobody pretrained it, a run of ours did, or whoever made the file."""
    source = '' if isinstance(initial, str) else initial.get('source') or ''
    if initial == 'random' or source.startswith('random initialisation'):
        return 'random'
    return 'ours' if run else 'imagenet'


def draw(record: dict) -> tuple:
    """What repeated runs of one experiment differ in: the seed, and that of a subset of labels."""
    return record['seed'], (record.get('label_subset') or {}).get('seed')


def _is_cell(own: dict, cell: dict) -> bool:
    if any(own.get(key, cell[key]) != cell[key] for key in ('model', 'split')):
        return False
    metrics = own.get('metric')
    if cell['metric'] not in (metrics if isinstance(metrics, (list, tuple)) else [metrics]):
        return False
    # spaces do not count: a variant that came by --cfg-options has lost them
    plain = {key: str(own.get(key)).replace(' ', '') for key in (*_CELL_KEYS, 'variant')}
    return all(plain[key] == cell[key].replace(' ', '') for key in plain)


def main_metric(metrics: dict) -> str:
    """The metric that stands for a run where none is asked for."""
    return 'mIoU' if 'mIoU' in metrics else next(iter(metrics))
