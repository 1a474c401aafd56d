"""What a suite ends with: its table, the paper's beside it, and what is missing in either."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from semcl_mm.analysis.curves import SCALARS
from semcl_mm.analysis.paper_cells import choose_cells, counts_for, read_paper_numbers
from semcl_mm.analysis.records import collect, write_records, write_text
from semcl_mm.analysis.report import build_report
from semcl_mm.analysis.table_text import Row, format_rows
from semcl_mm.analysis.tables import main_metric, paper_rows
from semcl_mm.engine.run_record import AVERAGED
from semcl_mm.suite.cells import Cell
from semcl_mm.suite.description import Suite
from semcl_mm.suite.facts import Facts, expected_record
from semcl_mm.suite.paper_tables import PAPER_NUMBERS
from semcl_mm.suite.state import is_finished, is_held, read_note, results

__all__ = ['paper_summary', 'suite_rows', 'write_summary']


def suite_rows(cells: Sequence[Cell], work: Path) -> list[Row]:
    """A row per downstream task and checkpoint, over the seeds; what did not finish is said."""
    rows: dict[tuple[str, str], Row] = {}
    states: dict[tuple[str, str], list[str]] = {}
    for cell in cells:
        if cell.kind != 'downstream':
            continue
        key = cell.task, cell.checkpoint
        row = rows.setdefault(key, Row(cell.task, cell.checkpoint, ''))
        missing = states.setdefault(key, [])
        if not is_finished(cell, work):
            missing.append(_state(cell, work))
            continue
        finished = [r for r in results(cell, work) if r['status'] == 'finished']
        protocol = AVERAGED if cell.tta else None
        wanted = [r for r in finished if r.get('protocol') == protocol]
        metrics = wanted[-1]['metrics_final']
        row.metric = row.metric or main_metric(metrics)
        row.values.append(metrics[row.metric])
    for key, row in rows.items():
        row.metric = row.metric or '—'
        row.missing = ', '.join(f'{states[key].count(s)} {s}' for s in dict.fromkeys(states[key]))
    return list(rows.values())


def paper_summary(
    suite: Suite,
    cells: Sequence[Cell],
    facts: Mapping[str, Facts],
    work: Path,
    records: Sequence[dict],
) -> list[Row]:
    """The paper's table with our numbers; a row whose run of this suite is missing says why."""
    numbers = read_paper_numbers(PAPER_NUMBERS)
    rows = paper_rows(numbers, records, suite.paper, suite.table)
    by_name = {cell.name: cell for cell in cells}
    for cell in cells:
        if cell.kind != 'downstream' or is_finished(cell, work):
            continue
        record = expected_record(cell, by_name, facts)
        for row, number in zip(rows, choose_cells(numbers, suite.paper, suite.table), strict=True):
            if counts_for(record, number):
                state = _state(cell, work)
                row.missing = state if row.missing in ('', state) else f'{row.missing}, {state}'
    return rows


def write_summary(
    suite: Suite, cells: Sequence[Cell], facts: Mapping[str, Facts], work: Path
) -> str:
    """Writes ``records.jsonl``, ``table.md`` and ``report.html``; returns the tables.

    The records hold this suite's cells alone, whatever else lies in the folder.
    """
    names = {cell.name for cell in cells}
    records = [r for r in collect([work]) if r['name'].removesuffix('_tta') in names]
    write_records(work / 'records.jsonl', records)
    own = suite_rows(cells, work)
    parts = [format_rows(own)]
    if suite.paper:
        rows = paper_summary(suite, cells, facts, work, records)
        parts.append(f'{suite.paper}, Table {suite.table}:\n\n{format_rows(rows)}')
    unfinished = [cell for cell in cells if not is_finished(cell, work)]
    reasons = [(cell.name, read_note(cell, work)) for cell in unfinished]
    failed = [f'{name}: {n["reason"]}' for name, n in reasons if n.get('state') == 'failed']
    if failed:
        items = '\n'.join(f'- {line}' for line in failed)
        parts.append(f'Failed (logs are in `logs/`):\n\n{items}')
    text = '\n\n'.join(parts)
    write_text(work / 'table.md', f'{text}\n')
    page = build_report(
        records,
        read_paper_numbers(PAPER_NUMBERS),
        title=suite.name,
        tables=[(suite.paper, suite.table)] if suite.paper else (),
        runs=[work / c.name for c in cells if [*(work / c.name).glob(f'*/{SCALARS}')]],
        pictures=sorted((work / 'pictures').glob('*.png')),
        rows=own,
        notes=failed,
    )
    write_text(work / 'report.html', page)
    return text


def _state(cell: Cell, work: Path) -> str:
    state = read_note(cell, work).get('state')
    if state == 'running' and not is_held(cell, work):
        return 'stopped'  # killed before it could note anything
    return state if state in ('failed', 'running', 'interrupted') else 'not run'
