"""ADEChallengeData2016 (SceneParse150): class maps of the 150 most frequent classes."""

from pathlib import Path

from semcl_mm.datasets.image_files import IMAGE_SUFFIXES, DataError
from semcl_mm.datasets.label_sources.class_names import ADE150
from semcl_mm.datasets.label_sources.listing import (
    list_files,
    need_folder,
    pair_files,
    refuse_orphans,
)
from semcl_mm.datasets.label_sources.map_source import MapSource
from semcl_mm.datasets.value_table import ValueRange, ValueTable


def ade20k(
    root: Path, split: str | None = None, unit: str = 'class', allow_missing: bool = False
) -> MapSource:
    """Pairs of ADEChallengeData2016: values 1..150; 0 is unlabelled.

    This is not the data that the paper used: see ``ade20k_full``.

    Args:
        root: folder that holds images and annotations.
        split: 'training' if None.
        unit: 'class' or 'component'; the class maps know no instances.
        allow_missing: count labels without image instead of stopping.
    """
    if unit == 'instance':
        raise DataError('ade20k has class maps only: --unit class or component, or ade20k-full')
    split = split or 'training'
    hint = 'ROOT is the folder that holds images and annotations (…/ADEChallengeData2016)'
    need_folder(root / 'images', hint)
    need_folder(root / 'annotations', hint)
    image_folder = need_folder(root / 'images' / split, f'there is no split {split!r}')
    label_folder = need_folder(root / 'annotations' / split, f'there is no split {split!r}')
    images = list_files(image_folder, IMAGE_SUFFIXES)
    if not images:
        raise DataError(f'{image_folder}: no images')
    labels = list_files(label_folder, ['.png'])
    items, orphans = pair_files(images, labels, f'images/{split}', f'annotations/{split}')
    return MapSource(
        layout='ade20k',
        root=root,
        unit=unit,
        class_names=ADE150,
        items=items,
        options={'split': split},
        skipped=refuse_orphans(orphans, root, allow_missing),
        table=ValueTable((ValueRange(1, 1, len(ADE150) - 1),), ((0, 1),)),
    )
