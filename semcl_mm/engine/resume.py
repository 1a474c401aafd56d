"""Find the checkpoint to go on from, and make sure beforehand that the run can write its own."""

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ['checkpoints_newest_first', 'replace_when_complete', 'require_writable']

_NUMBERED = re.compile(r'(?:iter|epoch)_(\d+)\.pth')


def require_writable(folder: str | os.PathLike) -> Path:
    """Make a folder and try to write in it.

    Args:
        folder: The work dir.

    Returns:
        The folder.

    Raises:
        ValueError: It cannot be made or written, and why.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ValueError(
            f'cannot write to the work dir {folder}: {error.strerror or error}; '
            'choose another with --work-dir'
        ) from error
    return folder


def checkpoints_newest_first(work_dir: str | os.PathLike) -> list[Path]:
    """The checkpoints of a work dir to resume from, best candidate first.

    First what the file ``last_checkpoint`` names (looked up by name, should the folder have
    moved), then ``iter_*.pth`` and ``epoch_*.pth`` from the highest number down.
    """
    work_dir = Path(work_dir)
    numbered = sorted(
        (path for path in work_dir.glob('*.pth') if _NUMBERED.fullmatch(path.name)),
        key=lambda path: int(_NUMBERED.fullmatch(path.name)[1]),
        reverse=True,
    )
    pointer = work_dir / 'last_checkpoint'
    named = pointer.read_text().strip() if pointer.is_file() else ''
    if not named:
        return numbered
    last = Path(named) if Path(named).is_file() else work_dir / Path(named).name
    return [last, *(path for path in numbered if path.resolve() != last.resolve())]


@contextmanager
def replace_when_complete(path: str | os.PathLike) -> Iterator[Path]:
    """A temporary path beside ``path`` that takes its place when the block ends well.

    A reader sees the old file or the new one, never a part; so does the disk after a power cut.
    """
    path = Path(path)
    part = path.with_name(f'.{path.name}.part')
    try:
        yield part
        if part.exists():  # only process 0 writes
            with open(part, 'rb+') as file:
                os.fsync(file.fileno())
            os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
