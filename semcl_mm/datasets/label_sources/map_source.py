"""The source that most layouts share: one label map per image, told by a table of values."""

import zlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from semcl_mm.datasets.image_files import DataError, decode_label
from semcl_mm.datasets.label_reader import component_map
from semcl_mm.datasets.label_sources.base import Candidates, Item, LabelSource, read_label_file
from semcl_mm.datasets.regions import Regions, find_regions, merge_regions
from semcl_mm.datasets.value_table import IGNORED, UNKNOWN, ValueTable


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
        skipped = Counter(
            'group of instances' if value in self.group_values else 'ignored label'
            for value in regions.values[ignored].tolist()
        )

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
