"""What a run leaves behind, and how the records of many runs are gathered."""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

__all__ = ['RECORD_NAME', 'collect', 'read_records', 'write_json', 'write_records', 'write_text']

RECORD_NAME = 'record.json'
SCHEMA = 1
#: What names of scalars of the training in ``metrics_final`` begin with.
TRAINING = 'train/'


def write_json(path: str | Path, content: Any) -> None:
    """Writes JSON whole or not at all."""
    write_text(path, json.dumps(content, indent=2, default=str) + '\n')


def collect(folders: Iterable[str | Path]) -> list[dict]:
    """Finds every record below some folders.

    A run that was resumed leaves one record per start, each of which carries on the numbers of
    the one before; the newest stands for the run.

    Args:
        folders: Where to look, e.g. ``work_dirs``.

    Returns:
        One record per run, ordered by name, seed and start.

    Raises:
        FileNotFoundError: a folder does not exist.
        ValueError: a record cannot be read, naming the file.
    """
    newest: dict[str, dict] = {}
    for folder in folders:
        if not Path(folder).is_dir():
            raise FileNotFoundError(f'no such folder: {folder}')
        for path in sorted(Path(folder).rglob(RECORD_NAME)):
            record = _parse(path.read_text(), str(path))
            record['file'] = os.path.relpath(path)
            known = newest.get(record['run_id'])
            if known is None or record['started'] > known['started']:
                newest[record['run_id']] = record
    return sorted(newest.values(), key=lambda r: (r['name'], str(r['seed']), r['started']))


def read_records(path: str | Path) -> list[dict]:
    """Reads what :func:`write_records` wrote.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a line is no record, naming file and line.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'{path}: no such records file; `tools/analyze collect` writes one')
    lines = path.read_text().splitlines()
    return [_parse(line, f'{path}:{n}') for n, line in enumerate(lines, 1) if line.strip()]


def write_records(path: str | Path, records: Iterable[dict]) -> None:
    """Writes records as JSON lines, whole or not at all."""
    write_text(path, ''.join(json.dumps(r, default=str) + '\n' for r in records))


def _parse(text: str, where: str) -> dict:
    try:
        record = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f'{where}: not JSON ({error})') from error
    if not isinstance(record, dict) or record.get('schema') != SCHEMA:
        raise ValueError(f'{where}: not a run record of schema {SCHEMA}')
    return record


def write_text(path: str | Path, text: str) -> None:
    """Writes a text whole or not at all; missing folders are made."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f'{path.name}.part')
    temporary.write_text(text)
    temporary.replace(path)
