"""COCO-Stuff: pixel maps of things and stuff, value = COCO category id - 1."""

from pathlib import Path

from semcl_mm.datasets.image_files import IMAGE_SUFFIXES, DataError
from semcl_mm.datasets.label_sources.class_names import COCO_STUFF
from semcl_mm.datasets.label_sources.listing import (
    list_files,
    need_folder,
    pair_files,
    refuse_orphans,
)
from semcl_mm.datasets.label_sources.map_source import MapSource
from semcl_mm.datasets.value_table import ValueTable

_FOLDERS = ('stuffthingmaps_trainval2017', 'stuffthingmaps', 'annotations')
_TRAIN_IDS = '_labelTrainIds'


def coco_stuff(
    root: Path, split: str | None = None, unit: str = 'class', allow_missing: bool = False
) -> MapSource:
    """Pairs of COCO-Stuff 164k: values 0..181; 255 is unlabelled.

    Args:
        root: folder that holds train2017 and stuffthingmaps_trainval2017.
        split: 'train2017' if None.
        unit: 'class' or 'component'; the maps know no instances.
        allow_missing: count labels without image instead of stopping.
    """
    if unit == 'instance':
        raise DataError('coco-stuff has class maps only: --unit class or component, or coco')
    split = split or 'train2017'
    hint = 'ROOT is the folder that holds train2017 and stuffthingmaps_trainval2017'
    image_folder = need_folder(root / split, hint)
    maps = next((name for name in _FOLDERS if (root / name / split).is_dir()), _FOLDERS[0])
    label_folder = need_folder(root / maps / split, hint)
    # MMSegmentation's converter writes its own ids beside the maps.
    labels = {
        stem: name
        for stem, name in list_files(label_folder, ['.png']).items()
        if not stem.endswith(_TRAIN_IDS)
    }
    images = list_files(image_folder, IMAGE_SUFFIXES)
    if not images:
        raise DataError(f'{image_folder}: no images')
    items, orphans = pair_files(images, labels, split, f'{maps}/{split}')
    return MapSource(
        layout='coco-stuff',
        root=root,
        unit=unit,
        class_names=COCO_STUFF,
        items=items,
        options={'split': split},
        skipped=refuse_orphans(orphans, root, allow_missing),
        table=ValueTable.dense(len(COCO_STUFF), [255]),
    )
