"""The file that holds a pair index: packed records behind a JSON header.

    8 bytes  magic 'SEMCLPIX'
    4 bytes  version, 4 bytes header length (little endian)
    header   JSON: how the pairs were chosen, class names, counts, how labels are read, sections
    sections 64-byte aligned, packed numpy arrays

Sections: ``pairs`` (``PAIR``, 24 bytes each, image by image), ``images`` (``IMAGE``, 20 bytes each,
one per image that has a pair), and the path table: ``names`` (UTF-8) with ``name_ends`` (4 bytes
each). A path is stored without the prefix and suffix that all paths share; where images and labels
then have the same names (every official layout) they are stored once. Indices of COCO JSON files
also hold where in the JSON each annotation of an image begins (``annotations``, 8 bytes each, and
``annotation_ends``, 4 bytes an image).

Nothing in the file depends on the machine, the time or the number of workers.
"""

import json
import os
import struct
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from semcl_mm.datasets.image_files import DataError

VERSION = 1
PAIR = np.dtype(
    [
        ('image', '<u4'),
        ('instance', '<u4'),
        ('area', '<u4'),
        ('bbox', '<u2', (4,)),
        ('category', '<u2'),
        ('check', '<u2'),
    ]
)
"""``check`` is the low half of the CRC-32 of the mask's own bytes, where a pair has its own."""
IMAGE = np.dtype(
    [
        ('width', '<u2'),
        ('height', '<u2'),
        ('image_bytes', '<u4'),
        ('label_bytes', '<u4'),
        ('label_crc', '<u4'),
        ('first_pair', '<u4'),
    ]
)

_MAGIC = b'SEMCLPIX'
_PREAMBLE = struct.Struct('<8sII')
_ALIGNMENT = 64


class PairIndexError(DataError):
    """An index cannot be used, or not with these data."""


class PathTable:
    """Relative paths of images and labels, read straight from the mapped file.

    Args:
        names: (bytes,) uint8 names, joined.
        ends: (N,) where each name ends.
        affixes: prefix and suffix of 'image' and 'label' paths.
    """

    def __init__(self, names: np.ndarray, ends: np.ndarray, affixes: dict) -> None:
        self._names = names
        self._ends = ends
        self._affixes = affixes

    @staticmethod
    def pack(images: Sequence[str], labels: Sequence[str]) -> tuple[dict, dict[str, np.ndarray]]:
        """Header entry and sections of a table that holds these paths."""
        affixes, stems = {}, {}
        for kind, paths in (('image', images), ('label', labels)):
            prefix = _common_prefix(paths)
            rest = [path[len(prefix) :] for path in paths]
            suffix = _common_prefix([path[::-1] for path in rest])[::-1]
            affixes[kind] = [prefix, suffix]
            stems[kind] = [path[: len(path) - len(suffix)] for path in rest]
        affixes['shared'] = stems['image'] == stems['label']
        names = stems['image'] + ([] if affixes['shared'] else stems['label'])
        encoded = [name.encode() for name in names]
        ends = np.cumsum([len(name) for name in encoded], dtype=np.int64).astype('<u4')
        joined = np.frombuffer(b''.join(encoded), dtype=np.uint8)
        return affixes, {'names': joined, 'name_ends': ends}

    def image(self, image_id: int) -> str:
        """Path of an image, relative to the data root."""
        return self._path('image', image_id)

    def label(self, image_id: int) -> str:
        """Path of an image's label, relative to the data root."""
        shift = 0 if self._affixes['shared'] else len(self._ends) // 2
        return self._path('label', image_id + shift)

    def _path(self, kind: str, row: int) -> str:
        begin = int(self._ends[row - 1]) if row else 0
        prefix, suffix = self._affixes[kind]
        return prefix + self._names[begin : int(self._ends[row])].tobytes().decode() + suffix


def write_index(path: str | Path, header: dict, sections: dict[str, np.ndarray]) -> int:
    """Write an index file atomically: it is there completely, or not at all.

    Args:
        path: file to make; its folder is made where it is missing.
        header: JSON data; ``sections`` is added.
        sections: named arrays, written in this order.

    Returns:
        Size of the file in bytes.

    Raises:
        OSError: where the folder cannot be written.
    """
    path = Path(path)
    layout, offset = {}, 0
    for name, array in sections.items():
        layout[name] = [offset, array.nbytes]
        offset += -(-array.nbytes // _ALIGNMENT) * _ALIGNMENT
    text = json.dumps(
        {**header, 'sections': layout}, sort_keys=True, separators=(',', ':'), ensure_ascii=False
    ).encode()
    start = _aligned_start(len(text))
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f'.{path.name}-', dir=path.parent)
    try:
        with os.fdopen(handle, 'wb') as file:
            file.write(_PREAMBLE.pack(_MAGIC, VERSION, len(text)) + text)
            file.write(bytes(start - file.tell()))
            for array in sections.values():
                file.write(np.ascontiguousarray(array).tobytes())
                file.write(bytes(-array.nbytes % _ALIGNMENT))
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes the file private; an index may be read by whoever reads the data.
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return start + offset


def read_index(path: str | Path) -> tuple[dict, dict[str, np.ndarray]]:
    """Map an index file into memory, read-only.

    Returns:
        The header, and the sections as views of one memory map.

    Raises:
        PairIndexError: where the file is missing, is no pair index, has another version or is cut.
    """
    path = Path(path)
    try:
        with open(path, 'rb') as file:
            preamble = file.read(_PREAMBLE.size)
            if len(preamble) < _PREAMBLE.size or not preamble.startswith(_MAGIC):
                raise PairIndexError(f'{path}: not a pair index; make one with build_pair_index.py')
            _, version, length = _PREAMBLE.unpack(preamble)
            text = file.read(length)
    except OSError as error:
        raise PairIndexError(f'{path}: cannot be read ({error.strerror})') from None
    if version != VERSION:
        raise PairIndexError(f'{path}: format version {version}, this release reads {VERSION}')
    start = _aligned_start(length)
    try:
        header = json.loads(text)
        expected = start + max(
            offset + -(-size // _ALIGNMENT) * _ALIGNMENT
            for offset, size in header['sections'].values()
        )
    except (ValueError, KeyError) as error:
        raise PairIndexError(f'{path}: damaged header ({error}); build the index again') from None
    found = path.stat().st_size
    if found != expected:
        raise PairIndexError(
            f'{path}: {found} bytes where the header promises {expected}; build the index again'
        )
    mapped = np.memmap(path, dtype=np.uint8, mode='r')
    views = {
        name: mapped[start + offset : start + offset + size]
        for name, (offset, size) in header['sections'].items()
    }
    types = {'pairs': PAIR, 'images': IMAGE, 'name_ends': '<u4'}
    types |= {'annotations': '<u8', 'annotation_ends': '<u4'}
    return header, {
        name: np.asarray(view).view(types[name]) if name in types else np.asarray(view)
        for name, view in views.items()
    }


def _common_prefix(texts: Sequence[str]) -> str:
    """Characters that all texts begin with: the smallest and the largest differ first."""
    low, high = min(texts), max(texts)
    length = next((i for i, letter in enumerate(low) if letter != high[i : i + 1]), len(low))
    return low[:length]


def _aligned_start(header_length: int) -> int:
    return -(-(_PREAMBLE.size + header_length) // _ALIGNMENT) * _ALIGNMENT
