"""Label PNGs to samples: what Pillow gives, several times as fast.

zlib-ng inflates, a small C function undoes the row filters (``_png_rows.c``), NumPy does the rest.
Where the function was not compiled, only files without filters are read here: palette images such
as VOC's, which encoders do not filter. Whatever is unusual or damaged is left to Pillow, so that
there is one place that judges files, and one text for each error.
"""

import struct
import zlib

import numpy as np
from zlib_ng import zlib_ng

try:
    from semcl_mm.datasets._png_rows import restore_rows
except ImportError:  # no compiler at installation: see `python -m semcl_mm.doctor`
    restore_rows = None

_HEADER = struct.Struct('>IIBBBBB')
_CHUNK = struct.Struct('>I4s')
_CHECKSUM = struct.Struct('>I')
_GREY, _RGB, _PALETTE, _RGBA = 0, 2, 3, 6
_CHANNELS = {_GREY: 1, _RGB: 3, _PALETTE: 1, _RGBA: 4}
_DEPTHS = {_GREY: (1, 2, 4, 8, 16), _RGB: (8,), _PALETTE: (1, 2, 4, 8), _RGBA: (8,)}
_MOST_PIXELS = 2**27  # larger images are left to Pillow, which warns of them or refuses
_BEST_RATIO = 1032  # of deflate: more bytes than that cannot come out of one
_TOO_SHORT = 'its data end before {} rows of {} pixels'


def decode_label_png(data: bytes) -> np.ndarray | None:
    """Decode a PNG of a kind that labels have.

    Args:
        data: bytes of a file. Memory is bounded by 1032 times their number, whatever sizes a
            header claims.

    Returns:
        (H, W) uint8 or native uint16, palette images as indices, grey of 1, 2 and 4 bits stretched
        to 0..255 as Pillow does; (H, W, 3 or 4) uint8 for colours. None for any other file
        (interlaced, with 16-bit colours, not sound in every checksum), which Pillow then reads or
        refuses.

    Raises:
        ValueError: where a sound file holds fewer pixels than its header says; Pillow would add
            zeros.
    """
    chunks = _read_chunks(data)
    if chunks is None:
        return None
    header, packed = chunks
    width, height, depth, colour, compression, filtering, interlace = header
    if compression or filtering or interlace or depth not in _DEPTHS.get(colour, ()):
        return None
    bits = _CHANNELS[colour] * depth
    size = (width * bits + 7) // 8
    total = height * (size + 1)
    if total > _BEST_RATIO * len(packed):
        raise ValueError(_TOO_SHORT.format(height, width))
    if not 0 < width * height <= _MOST_PIXELS:
        return None
    rows = _inflate(packed, total)
    if rows is None:
        return None
    if len(rows) < total:
        raise ValueError(_TOO_SHORT.format(height, width))
    restored = _unfilter(rows, height, size, max(1, bits // 8))
    if restored is None:
        return None
    if bits > 16:
        return restored.reshape(height, width, bits // 8)
    if depth == 16:
        return restored.view('>u2').astype(np.uint16)
    return restored if depth == 8 else _unpack(restored, width, depth, stretch=colour == _GREY)


def _read_chunks(data: bytes) -> tuple[tuple[int, ...], bytes] | None:
    """Header fields and joined image data; None unless the file is sound from end to end."""
    if not data.startswith(b'\x89PNG\r\n\x1a\n\0\0\0\rIHDR'):
        return None
    pieces, position, before = [], 8, b''
    while position + 12 <= len(data):
        length, kind = _CHUNK.unpack_from(data, position)
        begin, end = position + 8, position + 8 + length
        if end + 4 > len(data):
            return None
        if zlib.crc32(data[begin - 4 : end]) != _CHECKSUM.unpack_from(data, end)[0]:
            return None
        if kind == b'IEND':
            return _HEADER.unpack_from(data, 16), b''.join(pieces)
        if kind == b'IDAT':
            if pieces and before != b'IDAT':
                return None
            pieces.append(data[begin:end])
        elif kind == b'acTL':  # an animation
            return None
        position, before = end + 4, kind
    return None


def _inflate(packed: bytes, total: int) -> bytes | None:
    """At most ``total`` bytes, and only if the stream ends there and its checksum agrees."""
    stream = zlib_ng.decompressobj()
    try:
        rows = stream.decompress(packed, total)
        excess = b'' if stream.eof else stream.decompress(stream.unconsumed_tail, 1)
    except zlib_ng.error:
        return None
    return rows if stream.eof and not excess else None


def _unfilter(rows: bytes, height: int, size: int, pixel: int) -> np.ndarray | None:
    """Rows of a filter byte and ``size`` bytes to (height, size) uint8."""
    if restore_rows is None:
        plain = np.frombuffer(rows, dtype=np.uint8).reshape(height, size + 1)
        return None if plain[:, 0].any() else np.ascontiguousarray(plain[:, 1:])
    restored = np.empty((height + 1, size), dtype=np.uint8)
    try:
        restore_rows(rows, restored, height, size, pixel)
    except ValueError:
        return None
    return restored[1:]


def _unpack(packed: np.ndarray, width: int, depth: int, stretch: bool) -> np.ndarray:
    """Samples of 1, 2 or 4 bits, the leftmost in the highest bits, to (H, width) uint8."""
    largest = (1 << depth) - 1
    shifts = np.arange(8 - depth, -1, -depth, dtype=np.uint8)
    samples = (packed[..., None] >> shifts & largest).reshape(len(packed), -1)[:, :width]
    return np.ascontiguousarray(samples) * np.uint8(255 // largest if stretch else 1)
