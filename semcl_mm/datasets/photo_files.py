"""Reading photos, strictly: a damaged file is an error and never a grey area in a batch."""

import io
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from semcl_mm.datasets.image_files import DataError, read_bytes

__all__ = ['read_bgr', 'read_rgb']

_JPEG_START, _JPEG_END = b'\xff\xd8', b'\xff\xd9'
_PNG_START, _PNG_END = b'\x89PNG', b'IEND\xaeB`\x82'
# Labels are drawn on the stored pixels, so a rotation noted in the file must not be applied.
_AS_STORED = cv2.IMREAD_IGNORE_ORIENTATION


def read_rgb(path: str | Path) -> np.ndarray:
    """Read an image file as stored (EXIF rotation is not applied).

    Args:
        path: JPEG, PNG or whatever else OpenCV reads.

    Returns:
        Uint8 RGB array (H, W, 3); grey and palette images are expanded.

    Raises:
        DataError: if the file is missing, truncated or no image. The message names it.
    """
    return _read(path, cv2.IMREAD_COLOR_RGB)


def read_bgr(path: str | Path) -> np.ndarray:
    """As :func:`read_rgb`, in OpenCV's order of channels, which OpenMMLab's transforms expect."""
    return _read(path, cv2.IMREAD_COLOR_BGR)


def _read(path: str | Path, order: int) -> np.ndarray:
    content = read_bytes(path)
    if not _is_complete(content):
        raise DataError(f'{path}: truncated image; restore it from its source')
    data = np.frombuffer(content, dtype=np.uint8)
    image = cv2.imdecode(data, order | _AS_STORED) if content else None
    if image is None:
        raise DataError(f'{path}: cannot be decoded as an image ({len(content)} bytes)')
    return image


def _is_complete(content: bytes) -> bool:
    """Tell whether a file is whole. OpenCV may fill what is missing without a word."""
    if content.startswith(_PNG_START):
        return _PNG_END in content[-4096:]
    if content.startswith(_JPEG_START) and not content.endswith(_JPEG_END):
        # Either cut off, or some bytes follow the picture: Pillow is strict and slower.
        try:
            Image.open(io.BytesIO(content)).load()
        except OSError:
            return False
    return True
