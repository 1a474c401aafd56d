"""Reading photos, strictly: a damaged file is an error and never a grey area in a batch."""

import io
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

__all__ = ['read_rgb']

_JPEG_START, _JPEG_END = b'\xff\xd8', b'\xff\xd9'
_PNG_START, _PNG_END = b'\x89PNG', b'IEND\xaeB`\x82'
# Labels are drawn on the stored pixels, so a rotation noted in the file must not be applied.
_AS_STORED = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION


def read_rgb(path: str | Path) -> np.ndarray:
    """Read an image file as stored (EXIF rotation is not applied).

    Args:
        path: JPEG, PNG or whatever else OpenCV reads.

    Returns:
        Uint8 RGB array (H, W, 3); grey and palette images are expanded.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is truncated or is no image. The message names it.
    """
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError:
        raise FileNotFoundError(f'image {path} does not exist') from None
    if not _is_complete(content):
        raise ValueError(f'image {path} is truncated: restore it from its source')
    image = cv2.imdecode(np.frombuffer(content, dtype=np.uint8), _AS_STORED) if content else None
    if image is None:
        raise ValueError(f'image {path} cannot be decoded ({len(content)} bytes): restore it')
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
