"""Label PNGs whose rows are stored as they are, decoded by inflating them and nothing else.

Encoders do not filter palette images, so VOC's labels are of this kind; inflating is then all the
work, and zlib-ng does it about ten times faster than zlib. Whatever is unusual is left to Pillow.
"""

import struct

import numpy as np
from zlib_ng import zlib_ng

_HEADER = struct.Struct('>IIBBBBB')
_CHUNK = struct.Struct('>I4s')
_GREY, _PALETTE = 0, 3
_PROBED_ROWS = 8


def decode_unfiltered_png(data: bytes) -> np.ndarray | None:
    """Decode an 8-bit grey or palette PNG without row filters.

    Args:
        data: bytes of a file.

    Returns:
        (H, W) uint8; None for any other or damaged file.
    """
    if data[:8] != b'\x89PNG\r\n\x1a\n' or data[12:16] != b'IHDR' or len(data) < 45:
        return None
    width, height, depth, colour, compression, filtering, interlace = _HEADER.unpack_from(data, 16)
    if depth != 8 or colour not in (_GREY, _PALETTE) or compression or filtering or interlace:
        return None
    packed = _packed_pixels(data)
    if packed is None:
        return None
    stride = width + 1
    try:
        probe = zlib_ng.decompressobj().decompress(packed, _PROBED_ROWS * stride)
        if any(probe[::stride]):
            return None
        # zlib checks its own sum over all pixels here.
        pixels = zlib_ng.decompress(packed, bufsize=height * stride)
    except zlib_ng.error:
        return None
    if len(pixels) != height * stride:
        return None
    rows = np.frombuffer(pixels, dtype=np.uint8).reshape(height, stride)
    return None if rows[:, 0].any() else np.ascontiguousarray(rows[:, 1:])


def _packed_pixels(data: bytes) -> bytes | None:
    """The joined image data chunks, or None where the file ends early."""
    pieces, position = [], 8
    while position + 12 <= len(data):
        length, kind = _CHUNK.unpack_from(data, position)
        begin, end = position + 8, position + 8 + length
        if kind == b'IDAT':
            pieces.append(data[begin:end])
        elif kind == b'IEND':
            return pieces[0] if len(pieces) == 1 else b''.join(pieces)
        position = end + 4
    return None
