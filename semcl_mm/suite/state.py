"""How far a cell has come, by what it left behind."""

import fcntl
import json
import os
from pathlib import Path
from typing import Any

from semcl_mm.analysis.records import collect, write_json
from semcl_mm.engine.run_record import AVERAGED
from semcl_mm.suite.cells import Cell
from semcl_mm.suite.facts import Facts

__all__ = [
    'LOCK',
    'NOTE',
    'is_finished',
    'is_held',
    'read_note',
    'require_same',
    'results',
    'start_of',
    'take',
    'write_note',
]

NOTE = 'cell.json'
LOCK = '.lock'


def results(cell: Cell, work: Path) -> list[dict]:
    """The records in a cell's folder, oldest first."""
    folder = work / cell.name
    found = collect([folder]) if folder.is_dir() else []
    return sorted(found, key=lambda record: record['started'])


def is_finished(cell: Cell, work: Path) -> bool:
    """Whether the cell's records (for an initialisation its file) say that all of it was done."""
    if cell.kind == 'initial':
        return (work / f'{cell.name}.pth').is_file()
    finished = [r for r in results(cell, work) if r['status'] == 'finished']
    protocols = {record.get('protocol') for record in finished}
    return protocols >= ({None, AVERAGED} if cell.tta else {None})


def is_trained(cell: Cell, work: Path) -> bool:
    """Whether the training itself has finished, whatever is still to be tested."""
    return any(r['status'] == 'finished' and not r.get('protocol') for r in results(cell, work))


def require_same(cell: Cell, facts: Facts, work: Path) -> None:
    """Stops where a folder holds a run of another config: it is neither this cell nor its start.

    Raises:
        ValueError: naming folder and cell.
    """
    note, start = read_note(cell, work), start_of(cell)
    if cell.kind == 'initial':
        if note.get('config_hash', facts.config_hash) != facts.config_hash:
            raise ValueError(
                f'{work / cell.name}.pth was made for another config or other options than '
                f'{cell.where} says now; move it away or choose another --work-dir'
            )
        return
    if note.get('start', start) != start:
        before, now = (text or 'its own initialisation' for text in (note['start'], start))
        raise ValueError(
            f'{work / cell.name} holds a run from {before}, and {cell.where} starts from '
            f'{now} now; move it away or choose another --work-dir'
        )
    for record in results(cell, work):
        if record['config_hash'].removesuffix('-tta') != facts.config_hash:
            raise ValueError(
                f'{work / cell.name} holds a run of another config or other options than '
                f'{cell.where} says now; move it away or choose another --work-dir'
            )


def start_of(cell: Cell) -> str | None:
    """The cell or file that a cell starts from; None: its own initialisation."""
    return cell.start or cell.start_file or cell.options.get('load_from')


def read_note(cell: Cell, work: Path) -> dict:
    """What the runner noted about a cell: ``state``, ``exit_code``, ``seconds``, ``reason``."""
    path = work / cell.name / NOTE
    return json.loads(path.read_text()) if path.is_file() else {}


def write_note(cell: Cell, work: Path, **entries: Any) -> None:
    """Notes something about a cell, whole or not at all."""
    write_json(work / cell.name / NOTE, {**read_note(cell, work), **entries})


def take(cell: Cell, work: Path) -> int | None:
    """Locks a cell for this process and those that it starts; None: another has it.

    The lock is the kernel's: it ends with the last process that holds it, however that ends. A
    run that outlived the suite that started it still holds its cell.
    """
    folder = work / cell.name
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def is_held(cell: Cell, work: Path) -> bool:
    """Whether a run is at the cell; where the file system cannot say, it may be."""
    try:
        descriptor = os.open(work / cell.name / LOCK, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False
