"""From a pair to the label array in which its anchor is marked; one class per kind of label."""

import zlib
from pathlib import Path

import numpy as np

from semcl_mm.datasets.coco_annotations import AnnotationFile, annotation_mask
from semcl_mm.datasets.image_files import DataError, decode_label, read_bytes
from semcl_mm.datasets.regions import find_runs, number_components
from semcl_mm.datasets.value_table import ValueTable

CHANGED = 'the data changed since the index was built: build the index again'
_NO_CLASS = np.uint16(0xFFFF)


def category_map(raw: np.ndarray, table: ValueTable) -> np.ndarray:
    """The class of every pixel, (H, W) uint16, 65535 where there is none.

    Runs are classified, not pixels: it costs the same for a palette of colours as for numbers.
    """
    runs = find_runs(raw)
    values, position = np.unique(runs.values, return_inverse=True)
    categories = table.classify(values)
    categories[categories < 0] = _NO_CLASS
    return runs.paint(categories.astype(np.uint16)[position])


def component_map(raw: np.ndarray, table: ValueTable) -> np.ndarray:
    """Numbers of the 8-connected components of all classes, (H, W) int32, 0 where no class is."""
    return number_components(category_map(raw, table), background=int(_NO_CLASS))


class MapReader:
    """Labels where one map holds all pairs of an image.

    Args:
        table: what the raw values mean.
        unit: 'class' and 'instance' are told by value, 'component' by connectedness.
    """

    shared = True

    def __init__(self, table: ValueTable, unit: str) -> None:
        self._table = table
        self._unit = unit

    def value(self, pair: np.void) -> int:
        """The value of the anchor's pixels in the label array."""
        return int(pair['category'] if self._unit == 'class' else pair['instance'])

    def read(self, path: Path, pair: np.void, image: np.void, _: np.ndarray | None) -> np.ndarray:
        """The label array of the pair's image, checked against the index."""
        data = read_bytes(path)
        if zlib.crc32(data) != image['label_crc']:
            raise DataError(f'{path}: {CHANGED} (its checksum differs)')
        raw = decode_label(data, path)
        if self._unit == 'component':
            return component_map(raw, self._table)
        if self._unit == 'instance' or self._table.is_identity:
            return raw
        return category_map(raw, self._table)


class MaskFileReader:
    """Labels where each pair has a mask file of its own (full ADE20K).

    Args:
        pattern: file name inside the image's label folder, with ``{instance}`` and ``{name}``.
        mark: value of the anchor's pixels.
    """

    shared = False

    def __init__(self, pattern: str, mark: int) -> None:
        self._pattern = pattern
        self._mark = mark

    def value(self, pair: np.void) -> int:
        """The value of the anchor's pixels in the mask."""
        return self._mark

    def path(self, folder: Path, pair: np.void) -> Path:
        """The mask file of a pair."""
        return folder / self._pattern.format(instance=int(pair['instance']), name=folder.name)

    def read(self, path: Path, pair: np.void, image: np.void, _: np.ndarray | None) -> np.ndarray:
        """The mask of the pair, checked against the index."""
        path = self.path(path, pair)
        data = read_bytes(path)
        if zlib.crc32(data) & 0xFFFF != pair['check']:
            raise DataError(f'{path}: {CHANGED} (its checksum differs)')
        return decode_label(data, path)


class AnnotationReader:
    """Labels drawn from a COCO JSON file, 1 inside the anchor.

    Args:
        unit: 'class' joins all annotations of the pair's category, crowds included.
    """

    shared = False

    def __init__(self, unit: str) -> None:
        self._unit = unit
        self._files: dict[Path, AnnotationFile] = {}

    def value(self, pair: np.void) -> int:
        """The value of the anchor's pixels in the mask."""
        return 1

    def read(
        self, path: Path, pair: np.void, image: np.void, offsets: np.ndarray | None
    ) -> np.ndarray:
        """The mask of the pair, drawn from its annotations."""
        from pycocotools import mask as coco_mask

        if path not in self._files:
            self._files[path] = AnnotationFile(path)
        if self._unit == 'instance':
            offsets = offsets[int(pair['instance']) : int(pair['instance']) + 1]
        found = [self._files[path].read(int(offset)) for offset in offsets]
        found = [entry for entry in found if entry[0]['category_id'] == pair['category']]
        if annotations_check([data for _, data in found]) != pair['check']:
            raise DataError(f'{path}: {CHANGED} (an annotation differs)')
        height, width = int(image['height']), int(image['width'])
        code = annotation_mask([entry for entry, _ in found], height, width, str(path))
        return coco_mask.decode(code)


def annotations_check(pieces: list[bytes]) -> int:
    """Checksum of a pair whose mask is drawn from these annotations, in file order."""
    return zlib.crc32(b''.join(pieces)) & 0xFFFF


LabelReader = MapReader | MaskFileReader | AnnotationReader


def reader_of(header: dict) -> LabelReader:
    """The reader that an index header asks for."""
    recipe, unit = header['label'], header['unit']
    if recipe['kind'] == 'map':
        return MapReader(ValueTable.from_json(recipe), unit)
    if recipe['kind'] == 'mask files':
        return MaskFileReader(recipe['pattern'], recipe['mark'])
    if recipe['kind'] == 'annotations':
        return AnnotationReader(unit)
    raise DataError(f'label kind {recipe["kind"]!r} is unknown to this release')
