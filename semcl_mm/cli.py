"""How every command of the project reports what the user can mend."""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

MENDABLE = (ValueError, OSError)


@contextmanager
def user_errors() -> Iterator[None]:
    """Turns bad input into one ``error: …`` line on stderr and exit code 1.

    Bad input is what raises ``ValueError`` or ``OSError`` (missing files, no permission); their
    messages name the file, the key or the value. Everything else is a defect and keeps its
    traceback, as do all errors where ``SEMCL_DEBUG=1`` is set.
    """
    try:
        yield
    except BrokenPipeError:  # the reader of our output (head, less) has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except MENDABLE as error:
        if os.environ.get('SEMCL_DEBUG') == '1':
            raise
        print(f'error: {message_of(error)}', file=sys.stderr)
        print('(SEMCL_DEBUG=1 shows where it happened)', file=sys.stderr)
        raise SystemExit(1) from None


def message_of(error: BaseException) -> str:
    """What an error says, without the traceback that a data loader's worker puts before it."""
    text = str(error)
    if 'Original Traceback' not in text:
        return text
    # The traceback ends with the class, under its full name unless it is a builtin.
    marker = rf'\n(?:[\w.<>]+\.)?{type(error).__name__}: '
    return re.split(marker, text)[-1].strip()
