"""Reading label files, and judging image files without decoding them."""

import io
import os
import struct
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from semcl_mm.datasets.label_png import decode_label_png

IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.webp')

_PNG_SIGNATURE = b'\x89PNG\r\n\x1a\n'
_JPEG_END = b'\xff\xd9'
# Start-of-frame markers: C0..CF without the Huffman, arithmetic and extension tables.
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError)


class DataError(ValueError):
    """Input data that cannot be used. The message names the file and the offending value."""


def read_bytes(path: str | Path) -> bytes:
    """The bytes of a file.

    Raises:
        DataError: where the file cannot be read.
    """
    try:
        with open(path, 'rb', buffering=0) as file:
            return file.readall()
    except OSError as error:
        raise DataError(f'{path}: cannot be read ({error.strerror or error})') from None


def read_text(path: str | Path) -> str:
    """The text of a file in UTF-8.

    Raises:
        DataError: where the file cannot be read, or is something else.
    """
    try:
        return read_bytes(path).decode()
    except UnicodeDecodeError as error:
        raise DataError(f'{path}: is no text in UTF-8 ({error.reason} at {error.start})') from None


def decode_label(data: bytes, path: str | Path) -> np.ndarray:
    """Decode a label image completely; palette images give indices, never colours.

    Pillow reads what ``label_png`` does not; OpenCV would expand a palette to colours.

    Args:
        data: the bytes of a PNG (or any lossless single-channel or RGB image).
        path: named in errors.

    Returns:
        (H, W): uint8, uint16 or int32 for single-channel files; uint32 ``R + 256 G + 65536 B``
        for colour files, alpha ignored.

    Raises:
        DataError: for a truncated or damaged file.
    """
    if data.startswith(_PNG_SIGNATURE) and b'IEND' not in data[-1024:]:
        raise DataError(f'{path}: truncated PNG (no end marker); restore the file')
    try:
        label = decode_label_png(data)
        if label is not None:
            return label if label.ndim == 2 else _pack_colours(label)
        with Image.open(io.BytesIO(data)) as image:
            if image.mode == '1':
                image = image.convert('L')
            if image.mode in ('RGB', 'RGBA'):
                return _pack_colours(np.asarray(image))
            mode, label = image.mode, np.asarray(image)
    except UnidentifiedImageError:
        raise DataError(f'{path}: no image ({len(data)} bytes)') from None
    except _BROKEN as error:
        raise DataError(f'{path}: truncated or damaged label image ({error})') from None
    if label.ndim != 2 or label.dtype.kind not in 'ui':
        raise DataError(f'{path}: image mode {mode!r} is no label map')
    return label


def _pack_colours(pixels: np.ndarray) -> np.ndarray:
    """(H, W, 3 or 4) uint8 to (H, W) uint32 codes, red in the lowest byte."""
    if pixels.shape[2] == 4:
        return np.ascontiguousarray(pixels).view('<u4')[..., 0] & np.uint32(0xFFFFFF)
    codes = pixels[..., 2].astype(np.uint32)
    for channel in (1, 0):
        codes <<= 8
        codes |= pixels[..., channel]
    return codes


def check_image(path: str | Path) -> tuple[int, int, int]:
    """Size of an image from its header; the end marker tells a truncated file.

    Only the first and last bytes are read. Where they do not settle the matter (an unusual
    format, bytes after the end marker), the image is decoded.

    Args:
        path: a JPEG, PNG or any other image that Pillow reads.

    Returns:
        width, height in pixels as stored (no EXIF rotation), and the file size in bytes.

    Raises:
        DataError: for a missing, truncated or damaged image.
    """
    size = None
    try:
        with open(path, 'rb', buffering=0) as file:
            file_size = os.fstat(file.fileno()).st_size
            head = file.read(4096)
            file.seek(max(0, file_size - 16))
            tail = file.read(16)
            if head.startswith(_PNG_SIGNATURE) and b'IEND' in tail and len(head) >= 24:
                size = struct.unpack('>II', head[16:24])
            elif head.startswith(b'\xff\xd8') and tail.rstrip(b'\x00\r\n').endswith(_JPEG_END):
                size = _jpeg_size(file, head)
    except OSError as error:
        raise DataError(f'{path}: cannot be read ({error.strerror or error})') from None
    if size is None:
        try:
            with Image.open(path) as image:
                size = image.size
                image.load()
        except _BROKEN as error:
            raise DataError(f'{path}: truncated or damaged image ({error})') from None
    return size[0], size[1], file_size


def _jpeg_size(file: io.FileIO, head: bytes) -> tuple[int, int] | None:
    """Width and height from the frame header, or None where the markers are unusual."""
    position = 2
    while True:
        segment = head[position : position + 9]
        if len(segment) < 9:
            file.seek(position)
            segment = file.read(9)
        if len(segment) < 9 or segment[0] != 0xFF:
            return None
        if segment[1] in _JPEG_FRAMES:
            height, width = struct.unpack('>HH', segment[5:9])
            return (width, height) if height and width else None
        if segment[1] == 0xFF:
            position += 1
            continue
        position += 2 + int.from_bytes(segment[2:4], 'big')
