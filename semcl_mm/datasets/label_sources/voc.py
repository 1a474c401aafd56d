"""PASCAL VOC 2012, with or without the SBD annotations."""

from pathlib import Path

from semcl_mm.datasets.image_files import DataError
from semcl_mm.datasets.label_sources.base import Item
from semcl_mm.datasets.label_sources.class_names import VOC
from semcl_mm.datasets.label_sources.listing import (
    list_files,
    need_folder,
    read_class_names,
    read_list,
)
from semcl_mm.datasets.label_sources.map_source import MapSource
from semcl_mm.datasets.value_table import ValueRange, ValueTable

_LISTS = {
    'train_aug': (
        'ImageSets/SegmentationAug/train_aug.txt',
        'ImageSets/Segmentation/train_aug.txt',
        'ImageSets/Segmentation/trainaug.txt',
        'ImageSets/Segmentation/aug.txt',
    )
}


def voc(root: Path, split: str | None = None, unit: str = 'class') -> MapSource:
    """Pairs of PASCAL VOC: classes 1..20, or the objects of SegmentationObject.

    Args:
        root: folder that holds JPEGImages.
        split: name of a list in ImageSets/Segmentation, 'train' if None. 'train_aug' reads
            SegmentationClassAug; 'all' takes every file of SegmentationClass, without a list.
        unit: 'class', 'component', or 'instance' (SegmentationObject, whose objects get the class
            that most of their pixels have).

    ``class_names.txt`` in the root, background first, replaces VOC's names for data in VOC's
    layout.
    """
    split = split or 'train'
    need_folder(root / 'JPEGImages', 'ROOT is the folder that holds JPEGImages (…/VOC2012)')
    names = root / 'class_names.txt'
    class_names = read_class_names(names) if names.is_file() else VOC
    augmented = split == 'train_aug'
    stems = _stems(root, split)
    classes = _class_maps(root, stems, augmented)
    table = ValueTable((ValueRange(1, 1, len(class_names) - 1),), ((0, 1), (255, 1)))
    common = {'layout': 'voc', 'root': root, 'unit': unit, 'class_names': class_names}
    options = {'split': split}
    if augmented:
        fallback = sum(path.startswith('SegmentationClass/') for path in classes)
        options['labels_from_SegmentationClass'] = fallback
    if unit == 'instance':
        items = [
            Item(f'JPEGImages/{stem}.jpg', f'SegmentationObject/{stem}.png', class_map)
            for stem, class_map in zip(stems, classes, strict=True)
        ]
        objects = ValueTable((ValueRange(1, 0, 254, 0),), ((0, 1), (255, 1)))
        return MapSource(**common, items=items, options=options, table=objects, class_table=table)
    items = [
        Item(f'JPEGImages/{stem}.jpg', class_map)
        for stem, class_map in zip(stems, classes, strict=True)
    ]
    return MapSource(**common, items=items, options=options, table=table)


def _stems(root: Path, split: str) -> list[str]:
    """Image ids of a split; lines are ids, or the authors' 'image label' paths."""
    if split == 'all':
        stems = list(
            list_files(need_folder(root / 'SegmentationClass', 'no labels here'), ['.png'])
        )
        if not stems:
            raise DataError(f'{root / "SegmentationClass"}: no label PNGs')
        return stems
    candidates = [
        root / name for name in _LISTS.get(split, (f'ImageSets/Segmentation/{split}.txt',))
    ]
    found = [path for path in candidates if path.is_file()]
    if not found:
        known = sorted(path.stem for path in root.glob('ImageSets/Segmentation*/*.txt'))
        raise DataError(
            f'{candidates[0]}: no list of split {split!r}; this data set has '
            f'{", ".join(dict.fromkeys(known)) or "no lists"} (--split all needs none)'
        )
    stems = [Path(words[-1]).stem for words in read_list(found[0])]
    if found[0].name == 'aug.txt':
        # MMSegmentation's aug.txt lists the images that SBD adds, without VOC's own.
        train = root / 'ImageSets/Segmentation/train.txt'
        own = [Path(words[-1]).stem for words in read_list(train)]
        stems = list(dict.fromkeys([*own, *stems]))
    return stems


def _class_maps(root: Path, stems: list[str], augmented: bool) -> list[str]:
    """Path of each image's class map; SBD folders without VOC's own labels fall back to these."""
    if not augmented:
        need_folder(root / 'SegmentationClass', 'VOC labels are expected there')
        return [f'SegmentationClass/{stem}.png' for stem in stems]
    folder = need_folder(
        root / 'SegmentationClassAug', 'the SBD labels of split train_aug are expected there'
    )
    own = root / 'SegmentationClass'
    return [
        f'SegmentationClass/{stem}.png'
        if not (folder / f'{stem}.png').is_file() and (own / f'{stem}.png').is_file()
        else f'SegmentationClassAug/{stem}.png'
        for stem in stems
    ]
