"""COCO instance annotations in their JSON file."""

from collections import Counter, defaultdict
from pathlib import Path

import numpy as np

from semcl_mm.datasets.coco_annotations import (
    AnnotationFile,
    Located,
    annotation_mask,
    locate_annotations,
)
from semcl_mm.datasets.image_files import DataError
from semcl_mm.datasets.label_reader import annotations_check
from semcl_mm.datasets.label_sources.base import Candidates, Item, LabelSource
from semcl_mm.datasets.label_sources.listing import need_folder


class AnnotationSource(LabelSource):
    """Objects drawn as polygons or run lengths in one JSON file.

    An item's ``extra`` holds the :class:`Located` annotations of the image, and the size of the
    image that the JSON states.
    """

    def label_header(self) -> dict:
        return {'kind': 'annotations'}

    def candidates(self, item: Item, width: int, height: int) -> Candidates:
        from pycocotools import mask as coco_mask

        located, stated = item.extra
        path = self.root / item.label
        if stated != (width, height):
            raise DataError(
                f'{path}: says that {item.image} has {stated[0]} x {stated[1]} pixels; the image '
                f'has {width} x {height}'
            )
        annotations = self._file(path)
        skipped: Counter = Counter()
        groups: dict[tuple[int, int], list[int]] = defaultdict(list)
        for place, entry in enumerate(located):
            if self.unit == 'class':
                groups[entry.category_id, 0].append(place)
            elif entry.is_crowd:
                skipped['crowd'] += 1
            else:
                groups[entry.category_id, place].append(place)
        rows = []
        for (category, place), members in sorted(groups.items()):
            read = [annotations.read(located[member].offset) for member in members]
            code = annotation_mask([entry for entry, _ in read], height, width, str(path))
            area = int(coco_mask.area(code))
            if area == 0:
                skipped['empty mask'] += 1
                continue
            x, y, wide, high = (int(side) for side in coco_mask.toBbox(code))
            check = annotations_check([data for _, data in read])
            rows.append((category, place, area, (x, y, x + wide, y + high), check))
        columns = [np.array(column) for column in zip(*rows, strict=True)] or [np.empty(0, int)] * 5
        return Candidates(
            categories=columns[0],
            instances=columns[1],
            areas=columns[2],
            boxes=columns[3].reshape(-1, 4),
            label_bytes=path.stat().st_size,
            checks=columns[4],
            skipped=skipped,
            offsets=[entry.offset for entry in located],
        )

    def _file(self, path: Path) -> AnnotationFile:
        # Opened where it is used: a memory map does not travel to a worker.
        if '_opened' not in self.__dict__:
            self._opened = AnnotationFile(path)
        return self._opened


def coco(root: Path, split: str | None = None, unit: str = 'instance') -> AnnotationSource:
    """Pairs of COCO instances. The JSON is the list of images, as a list file is for VOC.

    Args:
        root: folder that holds train2017 and annotations.
        split: 'train2017' if None; reads annotations/instances_<split>.json.
        unit: 'instance': each annotation, crowd regions dropped and counted, for they are no
            instance. 'class': union of all annotations of a category, crowd regions included,
            for they are pixels of the class. Classes keep COCO's category ids.
    """
    if unit == 'component':
        raise DataError('coco: --unit instance or class; components need label maps')
    split = split or 'train2017'
    hint = 'ROOT is the folder that holds annotations and train2017'
    need_folder(root / 'annotations', hint)
    need_folder(root / split, f'there is no split {split!r}; {hint}')
    label = f'annotations/instances_{split}.json'
    other, located = locate_annotations(root / label)
    class_names = _class_names(other['categories'], root / label)
    by_image: dict[int, list[Located]] = defaultdict(list)
    known = {category['id'] for category in other['categories']}
    for entry in located:
        if entry.category_id not in known:
            raise DataError(f'{root / label}: annotation of unknown category {entry.category_id}')
        by_image[entry.image_id].append(entry)
    items = []
    try:
        for image in sorted(other['images'], key=lambda entry: entry['file_name']):
            size = (image['width'], image['height'])
            extra = (by_image.pop(image['id'], []), size)
            items.append(Item(f'{split}/{image["file_name"]}', label, extra))
    except (KeyError, TypeError) as error:
        raise DataError(f'{root / label}: an entry of images has no {error}') from None
    if by_image:
        raise DataError(
            f'{root / label}: annotations of image {min(by_image)}, which is not listed'
        )
    return AnnotationSource(
        layout='coco',
        root=root,
        unit=unit,
        class_names=class_names,
        items=items,
        options={'split': split},
    )


def _class_names(categories: list[dict], path: Path) -> tuple[str, ...]:
    try:
        names = {int(category['id']): category['name'] for category in categories}
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f'{path}: an entry of categories is damaged ({error!r})') from None
    if not names or min(names) < 0 or max(names) > 0xFFFF:
        raise DataError(f'{path}: category ids must lie in 0..65535')
    return tuple(names.get(number, '') for number in range(max(names) + 1))
