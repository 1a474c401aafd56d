"""COCO instance JSON, read annotation by annotation from where each begins in the file.

An instance file of COCO has 450 MB; parsing it in every worker would cost gigabytes. The index
keeps the byte offset of each annotation instead, and a worker parses the few that it needs.
"""

import json
import mmap
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from semcl_mm.datasets.image_files import DataError, read_bytes

_SCANNER = json.JSONDecoder()
_SPACE = ' \t\r\n'
_FIRST_READ = 1 << 14


class AnnotationFile:
    """Random access to the annotations of a mapped JSON file.

    Args:
        path: COCO instance file.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            with open(self.path, 'rb') as file:
                self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise DataError(f'{self.path}: cannot be read ({error})') from None

    def read(self, offset: int) -> tuple[dict, bytes]:
        """The annotation that begins at a byte offset, and its bytes.

        Raises:
            DataError: where no JSON object begins there, i.e. the file is another one.
        """
        length = _FIRST_READ
        while True:
            piece = self._bytes[offset : offset + length]
            try:
                annotation, end = _SCANNER.raw_decode(piece.decode('latin-1'))
            except ValueError:
                if offset + length < len(self._bytes):
                    length *= 4
                    continue
                annotation = None
            if not isinstance(annotation, dict) or 'segmentation' not in annotation:
                raise DataError(
                    f'{self.path}: no annotation at byte {offset}; the file changed since the '
                    'index was built: build the index again'
                )
            return annotation, piece[:end]


def annotation_mask(annotations: Sequence[dict], height: int, width: int, where: str) -> dict:
    """Union of annotations as a compressed run-length code of pycocotools.

    Args:
        annotations: COCO annotations with polygons, uncompressed or compressed run lengths.
        height: rows of the image.
        width: columns of the image.
        where: file, named in errors.

    Returns:
        ``{'size': [height, width], 'counts': bytes}``.

    Raises:
        DataError: for a segmentation that is damaged or of another size than the image.
    """
    from pycocotools import mask as coco_mask

    codes = []
    for annotation in annotations:
        segmentation = annotation['segmentation']
        name = f'{where}: annotation {annotation.get("id")}'
        try:
            if isinstance(segmentation, list):
                codes.extend(coco_mask.frPyObjects(segmentation, height, width))
                continue
            if list(segmentation['size']) != [height, width]:
                raise DataError(
                    f'{name}: mask of size {segmentation["size"]} on an image of size '
                    f'{[height, width]} (rows, columns)'
                )
            if isinstance(segmentation['counts'], list):
                segmentation = coco_mask.frPyObjects(segmentation, height, width)
            codes.append(segmentation)
        except DataError:
            raise
        except Exception as error:  # pycocotools raises bare ones
            raise DataError(f'{name}: segmentation cannot be read ({error!r})') from None
    return coco_mask.merge(codes)


class Located(NamedTuple):
    """What the index needs to know of an annotation before its mask is drawn."""

    offset: int
    image_id: int
    category_id: int
    is_crowd: bool


def locate_annotations(path: Path) -> tuple[dict, list[Located]]:
    """Parse a COCO file, keeping where each annotation begins instead of its polygons.

    Args:
        path: COCO instance file.

    Returns:
        The other top-level entries by key, and the annotations in file order.

    Raises:
        DataError: for a file that is not JSON of this form.
    """
    # In Latin-1 a character is a byte, so positions in the text are offsets in the file.
    text = read_bytes(path).decode('latin-1')
    other: dict = {}
    annotations: list[Located] = []
    try:
        position = _after(text, 0, '{')
        while text[position] != '}':
            key, position = _SCANNER.raw_decode(text, position)
            position = _after(text, position, ':')
            if key == 'annotations':
                position = _locate_all(text, position, annotations)
            else:
                end = _SCANNER.raw_decode(text, position)[1]
                other[key] = json.loads(text[position:end].encode('latin-1'))
                position = end
            position = _next(text, position)
    except KeyError as error:
        raise DataError(f'{path}: annotation {len(annotations)} has no {error}') from None
    except (ValueError, IndexError, TypeError) as error:
        raise DataError(f'{path}: truncated or damaged JSON ({error})') from None
    absent = [key for key in ('images', 'categories') if key not in other]
    if absent:
        raise DataError(f'{path}: no {absent[0]!r} in this JSON; it is no COCO instance file')
    return other, annotations


def _locate_all(text: str, position: int, found: list[Located]) -> int:
    """Append the annotations of the array at a position; returns where the array ends."""
    position = _after(text, position, '[')
    while text[position] != ']':
        entry, end = _SCANNER.raw_decode(text, position)
        crowd = bool(entry.get('iscrowd', 0))
        found.append(Located(position, entry['image_id'], entry['category_id'], crowd))
        position = _next(text, end)
    return position + 1


def _skip_space(text: str, position: int) -> int:
    while text[position] in _SPACE:
        position += 1
    return position


def _after(text: str, position: int, token: str) -> int:
    """Where the value after a token begins."""
    position = _skip_space(text, position)
    if text[position] != token:
        raise ValueError(f'no {token!r} at byte {position}')
    return _skip_space(text, position + 1)


def _next(text: str, position: int) -> int:
    """Where the next member begins, or the closing bracket stands."""
    position = _skip_space(text, position)
    return _skip_space(text, position + 1) if text[position] == ',' else position
