"""Cityscapes gtFine: colour maps, label ids, train ids, or instance ids."""

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from semcl_mm.datasets.image_files import DataError
from semcl_mm.datasets.label_sources.base import Candidates, Item
from semcl_mm.datasets.label_sources.class_names import CITYSCAPES
from semcl_mm.datasets.label_sources.listing import (
    list_files,
    need_folder,
    pair_files,
    refuse_orphans,
)
from semcl_mm.datasets.label_sources.map_source import MapSource
from semcl_mm.datasets.value_table import ValueRange, ValueTable

LABELS = ('labelIds', 'color', 'labelTrainIds')
COLOUR_MAPS = ('current', 'old')

_ROAD, _CAR = 0, 13
# Label id -> train id. Ids 17 and 18 (pole, pole group) have one colour, so both are poles: the
# authors read colours.
TRAIN_ID = dict(zip([7, 8, 11, 12, 13], range(_ROAD, 5), strict=True)) | {17: 5, 18: 5}
TRAIN_ID |= dict(zip([*range(19, 29), 31, 32, 33], range(6, 19), strict=True))
_THINGS = (24, 25, 26, 27, 28, 29, 30, 31, 32, 33)
COLOURS = (
    (128, 64, 128), (244, 35, 232), (70, 70, 70), (102, 102, 156), (190, 153, 153),
    (153, 153, 153), (250, 170, 30), (220, 220, 0), (107, 142, 35), (152, 251, 152),
    (70, 130, 180), (220, 20, 60), (255, 0, 0), (0, 0, 142), (0, 0, 70), (0, 60, 100),
    (0, 80, 100), (0, 0, 230), (119, 11, 32),
)  # fmt: skip
# Colours outside the evaluation, by label id; black is everything that was never a class.
_OTHER_COLOURS = {
    5: (111, 74, 0), 6: (81, 0, 81), 9: (250, 170, 160), 10: (230, 150, 140), 14: (180, 165, 180),
    15: (150, 100, 100), 16: (150, 120, 90), 29: (0, 0, 90), 30: (0, 0, 110),
}  # fmt: skip
_OTHER_NAMES = (
    'dynamic', 'ground', 'parking', 'rail track', 'guard rail', 'bridge', 'tunnel', 'caravan',
    'trailer',
)  # fmt: skip


@dataclass(kw_only=True)
class OldColourMapSource(MapSource):
    """The authors' generator before July 2023: nine more classes, and every car pair twice."""

    def candidates(self, item: Item, width: int, height: int) -> Candidates:
        found = super().candidates(item, width, height)
        rows = np.repeat(np.arange(len(found.categories)), 1 + (found.categories == _CAR))
        columns = {field.name: getattr(found, field.name) for field in fields(found)}
        for name in ('categories', 'instances', 'areas', 'boxes'):
            columns[name] = columns[name][rows]
        columns['instances'] = (np.diff(rows, prepend=-1) == 0).astype(np.int64)
        return Candidates(**columns)


def cityscapes(
    root: Path,
    split: str | None = None,
    unit: str = 'class',
    label: str | None = None,
    colour_map: str = 'current',
    allow_missing: bool = False,
) -> MapSource:
    """Pairs of Cityscapes: the 19 evaluated classes, by train id.

    Args:
        root: folder that holds leftImg8bit and gtFine.
        split: 'train' if None; any folder of leftImg8bit.
        unit: 'class', 'component', or 'instance' (instanceIds: things one by one, stuff by class;
            groups of things that were drawn as one are dropped and counted).
        label: 'labelIds', 'color' (the authors' choice: the same pairs, three times the decoding)
            or 'labelTrainIds' (pole groups are not poles there); the first of them that the data
            set has if None.
        colour_map: 'old' is the authors' map before July 2023.
        allow_missing: count labels without image instead of stopping.
    """
    split = split or 'train'
    hint = 'ROOT is the folder that holds leftImg8bit and gtFine'
    need_folder(root / 'leftImg8bit', hint)
    image_folder = need_folder(root / 'leftImg8bit' / split, f'there is no split {split!r}')
    label_folder = need_folder(root / 'gtFine' / split, hint)
    kind = 'instanceIds' if unit == 'instance' else label or _present_label(label_folder)
    if colour_map == 'old' and (unit != 'class' or kind == 'labelTrainIds'):
        raise DataError('--colour-map old needs --unit class and --label color or labelIds')
    images = list_files(image_folder, ['_leftImg8bit.png', '_leftImg8bit.jpg'])
    if not images:
        raise DataError(f'{image_folder}: no *_leftImg8bit.png')
    suffix = f'_gtFine_{kind}.png'
    labels = list_files(label_folder, [suffix])
    items, orphans = pair_files(images, labels, f'leftImg8bit/{split}', f'gtFine/{split}', suffix)
    old = colour_map == 'old'
    source = OldColourMapSource if old else MapSource
    return source(
        layout='cityscapes',
        root=root,
        unit=unit,
        class_names=CITYSCAPES + (_OTHER_NAMES if old else ()),
        items=items,
        options={'split': split, 'label': kind, 'colour_map': colour_map},
        skipped=refuse_orphans(orphans, root, allow_missing),
        table=_table(kind, old),
        group_values=frozenset(_THINGS) & TRAIN_ID.keys() if unit == 'instance' else frozenset(),
    )


def _present_label(folder: Path) -> str:
    for label in LABELS:
        if next(folder.rglob(f'*_gtFine_{label}.png'), None):
            return label
    raise DataError(f'{folder}: no *_gtFine_labelIds.png, *_color.png or *_labelTrainIds.png')


def _packed(colour: tuple[int, int, int]) -> int:
    red, green, blue = colour
    return red | green << 8 | blue << 16


def _table(kind: str, old: bool) -> ValueTable:
    """What the values of one kind of label file mean."""
    others = {
        label_id: len(CITYSCAPES) + place for place, label_id in enumerate(sorted(_OTHER_COLOURS))
    }
    if kind == 'labelTrainIds':
        return ValueTable((ValueRange(0, 0, len(CITYSCAPES)),), ((255, 1),))
    if kind == 'color':
        known = {_packed(colour): train_id for train_id, colour in enumerate(COLOURS)}
        other = {_packed(_OTHER_COLOURS[label_id]): number for label_id, number in others.items()}
        rest = {0}
    else:
        known, other = dict(TRAIN_ID), others
        rest = {*range(34), 255} - known.keys() - other.keys()
    if old:
        known |= other
    else:
        rest |= other.keys()
    classes = [ValueRange(value, category) for value, category in sorted(known.items())]
    ignored = [(value, 1) for value in sorted(rest)]
    if kind == 'instanceIds':
        # Things are id * 1000 + n; the bare id of a thing marks a group.
        classes = [row for row in classes if row.first not in _THINGS]
        ignored += [(thing, 1) for thing in _THINGS if (thing, 1) not in ignored]
        for thing in _THINGS:
            if thing in known:
                classes.append(ValueRange(thing * 1000, known[thing], 1000, 0))
            else:
                ignored.append((thing * 1000, 1000))
    return ValueTable(tuple(classes), tuple(ignored))
