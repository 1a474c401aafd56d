"""One HTML file with the tables, curves and pictures of some runs, to be sent to a colleague."""

import base64
import html
import io
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import matplotlib

matplotlib.use('Agg')

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from PIL import Image

from semcl_mm.analysis.charts import bars, label_fractions, losses, monitors
from semcl_mm.analysis.paper_cells import choose_cells, counts_for
from semcl_mm.analysis.report_style import STYLE
from semcl_mm.analysis.table_text import COLUMNS, UNMEASURED, Row
from semcl_mm.analysis.tables import measured_rows, paper_rows

__all__ = ['build_report', 'measured_tables']

MAX_PIXELS = 1400  # of a picture's longer side


def build_report(
    records: Sequence[dict],
    numbers: Sequence[dict],
    title: str = 'Results',
    tables: Iterable[tuple[str, str]] = (),
    runs: Sequence[str | Path] = (),
    pictures: Sequence[str | Path] = (),
    rows: Sequence[Row] | None = None,
    notes: Sequence[str] = (),
) -> str:
    """The page as text; it needs nothing but itself.

    Args:
        records: Run records.
        numbers: The printed numbers of the papers.
        title: Its heading.
        tables: Papers and tables to show beside ours, e.g. ``('SemCL', '2')``.
        runs: Work dirs whose logged losses and monitors are drawn.
        pictures: Files to show.
        rows: The first table; None makes it from the records.
        notes: Remarks below the heading, such as runs that failed.

    Raises:
        ValueError: no such table.
        FileNotFoundError: no such picture.
    """
    rows = measured_rows(records) if rows is None else rows
    parts = [f'<h1>{html.escape(title)}</h1>', _facts(records)]
    if notes:
        items = ''.join(f'<li>{html.escape(note)}</li>' for note in notes)
        parts.append(f'<ul class="notes">{items}</ul>')
    parts += ['<h2>What was measured</h2>', _table(rows)]
    if any(row.defined for row in measured_rows(records)):
        parts.append(_picture(_encoded(bars(records)), 'Mean, standard deviation, every run'))
    if any((record.get('label_subset') or {}).get('fraction', 1.0) < 1.0 for record in records):
        try:
            parts += ['<h2>With a part of the labels</h2>']
            parts.append(_picture(_encoded(label_fractions(records)), 'mIoU over labelled images'))
        except ValueError as error:
            parts.append(f'<p>{html.escape(str(error))}</p>')
    for paper, table in tables:
        parts.append(f'<h2>{html.escape(paper)}, Table {html.escape(table)}</h2>')
        parts.append(_table(paper_rows(numbers, records, paper, table)))
    if figure := losses(runs):
        parts += [
            '<h2>Losses</h2>',
            _picture(_encoded(figure), 'As logged, over iterations; a line per seed'),
        ]
    if figure := monitors(runs):
        parts += [
            '<h2>During pretraining</h2>',
            _picture(_encoded(figure), 'kNN, linear probe and signs of collapse, over iterations'),
        ]
    if pictures:
        parts.append('<h2>Pictures</h2>')
        parts += [_picture(_file(Path(path)), Path(path).name) for path in pictures]
    head = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{html.escape(title)}</title><style>{STYLE}</style></head><body><main>'
    )
    return '\n'.join([head, *parts, '</main></body></html>', ''])


def measured_tables(records: Sequence[dict], numbers: Sequence[dict]) -> list[tuple[str, str]]:
    """The printed tables that the records fill at least one number of."""
    places = dict.fromkeys((n['paper'], n['table']) for n in numbers)
    return [
        place
        for place in places
        if any(counts_for(r, cell) for cell in choose_cells(numbers, *place) for r in records)
    ]


def _facts(records: Sequence[dict]) -> str:
    finished = sum(record['status'] == 'finished' for record in records)
    facts = [time.strftime('%Y-%m-%d %H:%M'), f'{finished} of {len(records)} runs finished']
    for key in ('git_commit', 'device'):
        values = sorted({str(r[key])[:60] for r in records if r.get(key)})
        short = [value[:10] for value in values] if key == 'git_commit' else values
        if short:
            facts.append(f'{key.replace("git_", "")} {", ".join(short)}')
    versions = next((r['versions'] for r in reversed(records) if r.get('versions')), {})
    facts += [f'{name} {versions[name]}' for name in ('semcl_mm', 'torch') if name in versions]
    return f'<p class="facts">{html.escape(" · ".join(facts))}</p>'


def _table(rows: Sequence[Row]) -> str:
    if not rows:
        return f'<p>{UNMEASURED} nothing</p>'
    head = ''.join(f'<th>{html.escape(name)}</th>' for name in COLUMNS)
    body = []
    for row in rows:
        cells = [
            f'<td{" class=number" if place > 2 else ""}>{html.escape(cell)}</td>'
            for place, cell in enumerate(row.cells())
        ]
        kind = ' class="ours"' if row.defined else ''
        body.append(f'<tr{kind}>{"".join(cells)}</tr>')
    rows_html = '\n'.join(body)
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f'<tbody>{rows_html}</tbody></table></div>'
    )


def _picture(data: str, caption: str) -> str:
    text = html.escape(caption)
    return f'<figure><img alt="{text}" src="{data}"><figcaption>{text}</figcaption></figure>'


def _encoded(figure: Figure) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format='png', dpi=130, facecolor='white', metadata={'Software': None})
    plt.close(figure)
    return f'data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}'


def _file(path: Path) -> str:
    if not path.is_file():
        raise FileNotFoundError(f'no such picture: {path}')
    with Image.open(path) as image:
        image.thumbnail((MAX_PIXELS, MAX_PIXELS))
        buffer = io.BytesIO()
        image.convert('RGB').save(buffer, format='PNG', optimize=True)
    return f'data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}'
