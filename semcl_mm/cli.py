"""How every command of the project reports what the user can mend."""

import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

MENDABLE = (ValueError, OSError)
_PATIENCE = 15.0  # seconds; launchers end the other processes well within


@contextmanager
def user_errors() -> Iterator[None]:
    """Turns bad input into one ``error: …`` line on stderr and exit code 1.

    Bad input is what raises ``ValueError`` or ``OSError`` (missing files, no permission); their
    messages name the file, the key or the value. Everything else is a defect and keeps its
    traceback, as do all errors where ``SEMCL_DEBUG=1`` is set.

    Of several processes the first one of a machine speaks at once, and its launcher ends the
    others; who is still there after a moment was alone with its error and speaks, too.
    """
    try:
        yield
    except BrokenPipeError:  # the reader of our output (head, less) has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except MENDABLE as error:
        if os.environ.get('SEMCL_DEBUG') == '1':
            raise
        if _local_rank():
            time.sleep(_PATIENCE)
        print(f'error: {message_of(error)}', file=sys.stderr)
        print('(SEMCL_DEBUG=1 shows where it happened)', file=sys.stderr)
        raise SystemExit(1) from None


def _local_rank() -> int:
    """Number of this process on its machine, 0 where there is one."""
    return int(os.environ.get('LOCAL_RANK') or os.environ.get('SLURM_LOCALID') or 0)


def message_of(error: BaseException) -> str:
    """What an error says, without the traceback that a data loader's worker puts before it."""
    text = str(error)
    if 'Original Traceback' not in text:
        return text
    # The traceback ends with the class, under its full name unless it is a builtin.
    marker = rf'\n(?:[\w.<>]+\.)?{type(error).__name__}: '
    return re.split(marker, text)[-1].strip()
