"""COCO instance files, checked once when they are read."""

import contextlib
import io
import json
import math
from collections.abc import Sequence
from pathlib import Path

from mmdet.datasets.api_wrappers import COCO

from semcl_mm.datasets.image_files import DataError, read_bytes

__all__ = ['CheckedCOCO', 'read_coco']

_ID, _NUMBER = (int, str), (int, float)
_KINDS = {_ID: 'no id', _NUMBER: 'no number', str: 'no text', list: 'not four numbers'}
# what each entry must hold, and of which kind
_NEEDED: dict[str, dict[str, type | tuple[type, ...]]] = {
    'images': {'id': _ID, 'file_name': str, 'width': _NUMBER, 'height': _NUMBER},
    'annotations': {'id': _ID, 'image_id': _ID, 'category_id': _ID, 'bbox': list},
    'categories': {'id': _ID, 'name': str},
}


def read_coco(path: str | Path) -> dict:
    """Read a COCO instance file.

    A file without annotations is valid (a split may be without objects); one without images or
    categories is not.

    Args:
        path: The JSON file.

    Returns:
        What is in it, with ``iscrowd`` and ``area`` of each annotation filled in where missing.

    Raises:
        DataError: The file cannot be read, is empty or no JSON; an entry lacks a key, is there
            twice, belongs to an unknown image or category, or has no proper box.
    """
    data = read_bytes(path)
    if not data.strip():
        raise DataError(f'{path}: the annotation file is empty; restore it from its source')
    try:
        content = json.loads(data)
    except ValueError as error:
        raise DataError(f'{path}: truncated or damaged JSON ({error})') from None
    if not isinstance(content, dict):
        raise DataError(f'{path}: no COCO instance file: a {type(content).__name__} at the top')
    identifiers = {group: _identifiers(content, group, path) for group in _NEEDED}
    for group in ('images', 'categories'):
        if not identifiers[group]:
            raise DataError(f'{path}: the list {group!r} is empty')
    names = [category['name'] for category in content['categories']]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise DataError(f'{path}: two categories are called {", ".join(map(repr, twice))}')
    for annotation in content['annotations']:
        where = f'{path}: annotation {annotation["id"]}'
        if annotation['image_id'] not in identifiers['images']:
            raise DataError(f'{where} belongs to image {annotation["image_id"]}, which is unknown')
        if annotation['category_id'] not in identifiers['categories']:
            raise DataError(f'{where} has the unknown category {annotation["category_id"]}')
        box = annotation['bbox']
        if len(box) != 4 or not all(map(_is_number, box)):
            raise DataError(f'{where}: bbox {box!r} is not four numbers (x, y, width, height)')
        annotation.setdefault('iscrowd', 0)
        if not _is_number(annotation.setdefault('area', max(box[2], 0) * max(box[3], 0))):
            raise DataError(f'{where}: area {annotation["area"]!r} is not a number')
    return content


class CheckedCOCO(COCO):
    """mmdet's COCO interface to a file that :func:`read_coco` has checked; it prints nothing.

    Categories are returned in the order in which they are asked for. pycocotools returns them in
    the file's order and leaves out names that the file does not have, so that mmdet would train
    with other labels than the class names tell.

    Args:
        annotation_file: The JSON file.
    """

    def __init__(self, annotation_file: str | Path) -> None:
        super().__init__()
        self.path = str(annotation_file)
        self.dataset = read_coco(annotation_file)
        with contextlib.redirect_stdout(io.StringIO()):
            self.createIndex()
        self.img_ann_map, self.cat_img_map = self.imgToAnns, self.catToImgs

    def get_cat_ids(self, cat_names: Sequence[str] = (), *args, **kwargs) -> list[int]:
        """Identifiers of categories by name, in the order of the names.

        Raises:
            DataError: The file has no category of one of the names.
        """
        if not cat_names:
            return super().get_cat_ids(cat_names, *args, **kwargs)
        known = {category['name']: category['id'] for category in self.dataset['categories']}
        absent = [name for name in cat_names if name not in known]
        if absent:
            raise DataError(
                f'{self.path}: no category {", ".join(map(repr, absent))}; it has '
                f'{", ".join(map(repr, known))}. Set dataset.metainfo.classes to what it has'
            )
        return [known[name] for name in cat_names]

    def predictions(self, detections: list[dict]) -> COCO:
        """Detections in COCO's result form as ground truth is; none at all are allowed.

        Args:
            detections: Dicts with ``image_id``, ``category_id``, ``score`` and either ``bbox``
                (x, y, width, height) or ``segmentation`` (run lengths).
        """
        with contextlib.redirect_stdout(io.StringIO()):
            if detections:
                return self.loadRes(detections)
            empty = COCO()
            empty.dataset = {**self.dataset, 'annotations': []}
            empty.createIndex()
        return empty


def _identifiers(content: dict, group: str, path: str | Path) -> set:
    entries = content.get(group)
    if not isinstance(entries, list):
        raise DataError(f'{path}: no list {group!r}: it is no COCO instance file')
    known = set()
    for number, entry in enumerate(entries):
        absent = [key for key in _NEEDED[group] if not isinstance(entry, dict) or key not in entry]
        if absent:
            raise DataError(f'{path}: {group}[{number}] has no {absent[0]!r}')
        for key, kind in _NEEDED[group].items():
            if not isinstance(entry[key], kind) or isinstance(entry[key], bool):
                raise DataError(
                    f'{path}: {group}[{number}]: {key} {entry[key]!r} is {_KINDS[kind]}'
                )
        if entry['id'] in known:
            raise DataError(f'{path}: the id {entry["id"]} is there twice in {group!r}')
        known.add(entry['id'])
    return known


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)
