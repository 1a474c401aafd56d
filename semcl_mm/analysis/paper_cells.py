"""Printed numbers of papers, and which runs are measurements of them."""

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path

from semcl_mm.analysis.starts import RANDOM, initial_name

__all__ = [
    'STARTS',
    'belongs_to',
    'choose_cells',
    'counts_for',
    'departures',
    'paper_cells',
    'read_paper_numbers',
    'start_kind',
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


def paper_cells(own: Mapping) -> list[dict]:
    """The cells that a config's ``paper_cell`` names.

    One run may be several rows of a paper, such as the baseline of three tables: ``also`` lists
    what the others have different.
    """
    first = {key: value for key, value in own.items() if key != 'also'}
    return [first, *({**first, **other} for other in own.get('also', ()))]


def counts_for(record: dict, cell: dict) -> bool:
    """Whether a run is a measurement of a printed number.

    It is if it belongs to the cell and neither it nor its pretraining departs from its config.
    """
    return belongs_to(record, cell) and not departures(record)


def departures(record: dict) -> list[str]:
    """In what a run and the pretraining that it started from are not as their config files say.

    Empty: ``as_published``, of the published size. Records of earlier releases do not say in what.
    """
    own = [] if record.get('as_published') else [*(record.get('deviations') or ['settings'])]
    run = _pretraining(record)
    if run and not run.get('as_published'):
        own += [f'pretraining {name}' for name in run.get('deviations') or ['settings']]
    return own


def belongs_to(record: dict, cell: dict) -> bool:
    """Whether a finished run names the cell, started as the cell says and was tested so.

    See :func:`semcl_mm.analysis.tables.paper_rows` for the rules.
    """
    if not record.get('paper_cell') or record['status'] != 'finished':
        return False
    run = _pretraining(record)
    start = start_kind(record['initialised_from'])
    algorithm, config = initial_name(record, config=False), Path(run.get('config') or '').stem
    return any(
        own.get('pretraining', algorithm) == algorithm
        and run.get('pairs_of') in (None, own.get('pairs_of', cell['dataset']))
        and (
            'models' not in own
            or own.get('start') == 'imagenet'
            or own['models'].get(config) == cell['model']
        )
        and own.get('protocol') == record.get('protocol')
        and own.get('start', start) == start
        and _is_cell({**own, 'variant': own.get('variant') or algorithm}, cell)
        for own in paper_cells(record['paper_cell'])
    )


def _pretraining(record: dict) -> dict:
    initial = record['initialised_from']
    return (initial.get('run') if isinstance(initial, dict) else None) or {}


def start_kind(initial: str | dict) -> str:
    """One of :data:`STARTS`: nobody pretrained it, a run of ours did, or whoever made the file.

    Args:
        initial: ``initialised_from`` of a record.
    """
    if isinstance(initial, str):
        return initial
    if (initial.get('source') or '').startswith(RANDOM):
        return 'random'
    return 'ours' if initial.get('run') else 'imagenet'


def _is_cell(own: dict, cell: dict) -> bool:
    metrics = own.get('metric')
    if cell['metric'] not in (metrics if isinstance(metrics, (list, tuple)) else [metrics]):
        return False
    said = [*_CELL_KEYS, 'variant', *(key for key in ('model', 'split') if key in own)]
    return all(_plain(own.get(key)) == _plain(cell[key]) for key in said)


def _plain(text: object) -> str:
    """Without spaces: what came by --cfg-options has lost them."""
    return str(text).replace(' ', '')
