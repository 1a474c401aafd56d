"""Text files that name frames, clips or videos, one item in a line."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from semcl_mm.datasets.image_files import read_text

__all__ = ['listed_lines', 'listed_paths']

_COMMENT = re.compile(r'(^|\s)#.*')  # 'C#.mp4' is a name


def listed_lines(ann_file: str | Path) -> Iterator[tuple[int, str]]:
    """Numbers, from 1, and text of the lines that hold more than a comment (``#`` …)."""
    for number, line in enumerate(read_text(ann_file).splitlines(), 1):
        line = _COMMENT.sub('', line).strip()
        if line:
            yield number, line


def listed_paths(ann_file: str | Path, root: str | Path) -> list[str]:
    """The path in each line, relative to ``root``; blanks in it and words behind it are allowed.

    Of a line of several words (Kinetics' ``riding a bike/x.mp4 17``, with a class behind the path)
    the path is as many as name something that exists. If none do it is the line, for the message
    of who opens it.
    """
    return [_path_in(line, os.fspath(root)) for _, line in listed_lines(ann_file)]


def _path_in(line: str, root: str) -> str:
    path = line
    while len(path.split()) > 1:  # a single word needs no look at the disk
        if os.path.exists(os.path.join(root, path)):
            return path
        path = path.rsplit(maxsplit=1)[0]
    return path if path == line or os.path.exists(os.path.join(root, path)) else line
