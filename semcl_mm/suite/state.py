"""How far a cell has come, by what it left behind."""

import fcntl
import functools
import json
import os
from pathlib import Path
from typing import Any

from semcl_mm.analysis.provenance import file_hash
from semcl_mm.analysis.records import collect, write_json
from semcl_mm.engine.resume import checkpoints_newest_first
from semcl_mm.engine.run_record import AVERAGED
from semcl_mm.suite.cells import Cell
from semcl_mm.suite.facts import Facts

__all__ = [
    'LOCK',
    'NOTE',
    'is_finished',
    'is_held',
    'is_trained',
    'last_checkpoint',
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
        used, file = record.get('initialised_from'), _start_on_disk(cell, work)
        if file and isinstance(used, dict) and used.get('sha256') not in (None, _hash(file)):
            raise ValueError(
                f'{work / cell.name} holds a run from {file} as it was before; the file has been '
                f'replaced since. Move the run away or choose another --work-dir'
            )


def start_of(cell: Cell) -> str | None:
    """The cell or file that a cell starts from; None: its own initialisation."""
    return cell.start or cell.start_file or cell.options.get('load_from')


def last_checkpoint(folder: Path) -> Path:
    """The newest checkpoint of a run.

    Raises:
        FileNotFoundError: there is none.
    """
    for path in checkpoints_newest_first(folder):
        if path.is_file():
            return path
    raise FileNotFoundError(f'{folder}: a finished run without a checkpoint')


def _start_on_disk(cell: Cell, work: Path) -> Path | None:
    """The checkpoint that a cell starts from; None: its own initialisation, or it is not here."""
    places = [Path(start_of(cell) or '')]
    if cell.start:
        places = [work / f'{cell.start}.pth', *checkpoints_newest_first(work / cell.start)]
    return next((place for place in places if place.is_file()), None)


def _hash(file: Path) -> str:
    """Of a file's content, read again only if it has been written again."""
    stat = file.stat()
    return _hash_of(file, stat.st_size, stat.st_mtime_ns)


@functools.cache
def _hash_of(file: Path, size: int, written: int) -> str:
    return file_hash(file)


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
