"""What a data set layout has to tell the builder, and the source that most layouts share."""

import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from semcl_mm.datasets.image_files import DataError, decode_label, read_bytes
from semcl_mm.datasets.label_reader import component_map
from semcl_mm.datasets.regions import Regions, find_regions, merge_regions
from semcl_mm.datasets.value_table import IGNORED, UNKNOWN, ValueTable

IGNORED_LABEL = 'ignored label'


class MissingLabel(DataError):
    """An image has no label."""


class Item(NamedTuple):
    """One image of a data set; paths are relative to the root, with forward slashes."""

    image: str
    label: str
    extra: Any = None


@dataclass(frozen=True)
class Candidates:
    """All objects of one image, before small ones are dropped.

    Attributes:
        categories: (R,) classes.
        instances: (R,) numbers inside the image, 0 where the unit is the class.
        areas: (R,) pixels.
        boxes: (R, 4) tight boxes, upper ends exclusive.
        label_bytes: size of the label file; of each object's file where they have their own (R,).
        label_crc: CRC-32 of the label file, 0 where objects have files of their own.
        checks: (R,) low half of the CRC-32 of each object's own data, or None.
        skipped: how many objects were dropped already, by reason.
        class_names: names of classes that only the labels tell.
        offsets: positions of the image's annotations in its label file, or None.
    """

    categories: np.ndarray
    instances: np.ndarray
    areas: np.ndarray
    boxes: np.ndarray
    label_bytes: int | np.ndarray
    label_crc: int = 0
    checks: np.ndarray | None = None
    skipped: Counter = field(default_factory=Counter)
    class_names: Mapping[int, str] = field(default_factory=dict)
    offsets: Sequence[int] | None = None


@dataclass(kw_only=True)
class LabelSource:
    """A data set of one layout.

    Attributes:
        layout: name of the layout.
        root: folder of the data set.
        unit: 'class', 'instance' or 'component'.
        class_names: by class number; the builder appends what only the labels tell.
        items: the images, in the order of the index.
        options: further choices that led to this selection, kept in the header.
        skipped: images that the listing left out, by reason.
    """

    layout: str
    root: Path
    unit: str
    class_names: tuple[str, ...]
    items: list[Item]
    options: dict = field(default_factory=dict)
    skipped: Counter = field(default_factory=Counter)

    def candidates(self, item: Item, width: int, height: int) -> Candidates:
        """All objects of an image of this size.

        Raises:
            MissingLabel: where the image has no label.
            DataError: for a label that is damaged, of another size, or holds unknown values.
        """
        raise NotImplementedError

    def label_header(self) -> dict:
        """How an index reader finds the masks again, see ``label_reader.reader_of``."""
        raise NotImplementedError


@dataclass(kw_only=True)
class MapSource(LabelSource):
    """One label map per image, its values told by a table.

    An item's ``extra`` names a second map that holds the classes, where the first numbers
    instances without telling their class (VOC's SegmentationObject).

    Attributes:
        table: what the values of the map mean.
        class_table: the same for the second map, if there is one.
        group_values: ignored values that mark several instances drawn as one; counted apart.
    """

    table: ValueTable
    class_table: ValueTable | None = None
    group_values: frozenset[int] = frozenset()

    def label_header(self) -> dict:
        return {'kind': 'map', **self.table.to_json()}

    def candidates(self, item: Item, width: int, height: int) -> Candidates:
        path = self.root / item.label
        data = read_label_file(path, self.root / item.image)
        raw = self._decode(data, path, width, height)
        regions = find_regions(raw)
        categories = self._classify(regions, self.table, raw, path)
        ignored = categories == IGNORED
        groups = np.isin(regions.values[ignored], list(self.group_values)).sum()
        skipped = Counter()
        if groups:
            skipped['group of instances'] = int(groups)
        if ignored.sum() > groups:
            skipped[IGNORED_LABEL] = int(ignored.sum() - groups)

        if self.unit == 'component':
            numbers = component_map(raw, self.table)
            regions = find_regions(numbers)
            categories = self.table.classify(raw.reshape(-1)[regions.first])
            regions, categories = _select(regions, categories, regions.values > 0)
            instances = regions.values
        else:
            regions, categories = _select(regions, categories, ~ignored)
            if self.unit == 'class':
                regions = merge_regions(regions, categories)
                categories, instances = regions.values, np.zeros(len(regions), dtype=np.int64)
            else:
                instances = regions.values
                if item.extra is not None:
                    categories = self._majority(raw, instances, item, width, height)
                    unknown = categories < 0
                    if unknown.any():
                        skipped['instance without class'] = int(unknown.sum())
                        regions, categories = _select(regions, categories, ~unknown)
                        instances = regions.values
        return Candidates(
            categories=categories,
            instances=instances,
            areas=regions.areas,
            boxes=regions.boxes,
            label_bytes=len(data),
            label_crc=zlib.crc32(data),
            skipped=skipped,
        )

    def _decode(self, data: bytes, path: Path, width: int, height: int) -> np.ndarray:
        raw = decode_label(data, path)
        if raw.shape != (height, width):
            raise DataError(
                f'{path}: label of {raw.shape[1]} x {raw.shape[0]} pixels, but its image has '
                f'{width} x {height}'
            )
        return raw

    def _classify(
        self, regions: Regions, table: ValueTable, raw: np.ndarray, path: Path
    ) -> np.ndarray:
        categories = table.classify(regions.values)
        unknown = np.flatnonzero(categories == UNKNOWN)
        if len(unknown):
            value = int(regions.values[unknown[0]])
            row, column = divmod(int(regions.first[unknown[0]]), raw.shape[1])
            shown = value
            if raw.dtype == np.uint32:
                shown = f'RGB ({value & 255}, {value >> 8 & 255}, {value >> 16})'
            raise DataError(
                f'{path}: label value {shown} (first at row {row}, column {column}) is none of '
                f'the classes of layout {self.layout!r}'
            )
        return categories

    def _majority(
        self, raw: np.ndarray, instances: np.ndarray, item: Item, width: int, height: int
    ) -> np.ndarray:
        """Class of each instance: the one that most of its pixels have in the class map."""
        path = self.root / item.extra
        data = read_label_file(path, self.root / item.image)
        classes = self._decode(data, path, width, height)
        self._classify(find_regions(classes), self.class_table, classes, path)
        joint = find_regions(raw.astype(np.int64) << 32 | classes)
        instance = joint.values >> 32
        category = self.class_table.classify(joint.values & 0xFFFFFFFF)
        found = np.full(len(instances), IGNORED, dtype=np.int64)
        for row in np.argsort(joint.areas, kind='stable'):
            place = np.searchsorted(instances, instance[row])
            if category[row] >= 0 and place < len(instances) and instances[place] == instance[row]:
                found[place] = category[row]
        return found


def _select(
    regions: Regions, categories: np.ndarray, keep: np.ndarray
) -> tuple[Regions, np.ndarray]:
    columns = (regions.values, regions.areas, regions.boxes, regions.first)
    return Regions(*(column[keep] for column in columns)), categories[keep]


def read_label_file(label: Path, image: Path) -> bytes:
    """The bytes of a label; ``MissingLabel`` names the image where there is none."""
    if not label.is_file():
        raise MissingLabel(f'{image}: has no label {label}; --allow-missing skips and counts it')
    return read_bytes(label)


def need_folder(folder: Path, hint: str) -> Path:
    """A folder that must be there; ``hint`` says what ROOT should be."""
    if not folder.is_dir():
        raise DataError(f'{folder}: no such folder; {hint}')
    return folder


def list_files(folder: Path, suffixes: Sequence[str]) -> dict[str, str]:
    """Files below a folder by name without suffix, e.g. ``{'aachen/a': 'aachen/a.png'}``.

    Raises:
        DataError: where two files differ in their suffix alone.
    """
    found: dict[str, str] = {}
    lowered = tuple(suffix.lower() for suffix in suffixes)
    for path in folder.rglob('*'):
        if path.name.startswith('.') or not path.name.lower().endswith(lowered):
            continue
        name = path.relative_to(folder).as_posix()
        suffix = max((s for s in lowered if name.lower().endswith(s)), key=len)
        stem = name[: len(name) - len(suffix)]
        if stem in found:
            raise DataError(f'{folder}: {found[stem]} and {name} have the same name; keep one')
        found[stem] = name
    return dict(sorted(found.items()))


def pair_files(
    images: dict[str, str],
    labels: dict[str, str],
    image_folder: str,
    label_folder: str,
    label_suffix: str = '.png',
) -> tuple[list[Item], list[str]]:
    """Items of all images, and the labels that have no image.

    An image without label becomes an item whose label file does not exist, so that the builder
    decides (and counts) in one place.
    """
    items = [
        Item(f'{image_folder}/{name}', f'{label_folder}/{labels.get(stem, stem + label_suffix)}')
        for stem, name in images.items()
    ]
    return items, [f'{label_folder}/{name}' for stem, name in labels.items() if stem not in images]


def refuse_orphans(orphans: list[str], root: Path, allow_missing: bool) -> Counter:
    """Count labels without image, or stop at the first."""
    if orphans and not allow_missing:
        raise DataError(
            f'{root / orphans[0]}: label without image ({len(orphans)} in all); '
            '--allow-missing skips and counts them'
        )
    return Counter({'label without image': len(orphans)} if orphans else {})


def read_list(path: Path) -> list[list[str]]:
    """The words of each line of a list file that is not empty."""
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f'{path}: list cannot be read ({error})') from None
    rows = [line.split() for line in lines if line.strip()]
    if not rows:
        raise DataError(f'{path}: the list is empty')
    name, count = Counter(row[-1] for row in rows).most_common(1)[0]
    if count > 1:
        raise DataError(f'{path}: {name} is listed {count} times')
    return rows


def read_class_names(path: Path) -> tuple[str, ...]:
    """Class names, one a line, in the order of their numbers."""
    try:
        names = tuple(path.read_text().splitlines())
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f'{path}: class names cannot be read ({error})') from None
    names = tuple(name.strip() for name in names if name.strip())
    if not names:
        raise DataError(f'{path}: no class names in this file')
    return names


__all__ = [
    'IGNORED_LABEL',
    'Candidates',
    'Item',
    'LabelSource',
    'MapSource',
    'MissingLabel',
    'list_files',
    'need_folder',
    'pair_files',
    'read_class_names',
    'read_label_file',
    'read_list',
    'refuse_orphans',
]
