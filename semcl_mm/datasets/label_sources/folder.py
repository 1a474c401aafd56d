"""Any folder of images and label maps."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from semcl_mm.datasets.image_files import IMAGE_SUFFIXES, DataError
from semcl_mm.datasets.label_sources.base import Item
from semcl_mm.datasets.label_sources.listing import (
    list_files,
    need_folder,
    pair_files,
    read_class_names,
    read_list,
    refuse_orphans,
)
from semcl_mm.datasets.label_sources.map_source import MapSource
from semcl_mm.datasets.value_table import ValueTable

_ANY = 1 << 16


def folder(
    root: Path,
    split: str | None = None,
    unit: str = 'class',
    images: str = 'images',
    labels: str = 'labels',
    ignore: Sequence[int] = (255,),
    num_classes: int | None = None,
    class_names: Path | None = None,
    image_suffix: str | None = None,
    label_suffix: str = '.png',
    allow_missing: bool = False,
) -> MapSource:
    """Pairs of a folder of images and a folder of label PNGs of the same names.

    Args:
        root: folder that holds both.
        split: list file, in the root or anywhere: names, or 'image label' paths below the root.
            Every image if None.
        unit: 'class' or 'component'; 'instance' takes each value as an instance of its own, of
            class 0.
        images: image folder below the root.
        labels: label folder below the root.
        ignore: label values that are no class.
        num_classes: values from here on are errors (unless ignored); any value is a class if None.
        class_names: file with one name a line; it also gives ``num_classes``.
        image_suffix: end of the image names, e.g. '_leftImg8bit.png'; any image type if None.
        label_suffix: end of the label names.
        allow_missing: count labels without image instead of stopping.
    """
    names = read_class_names(class_names) if class_names else ()
    num_classes = num_classes or len(names) or _ANY
    skipped: Counter = Counter()
    options = {'images': images, 'labels': labels}
    suffixes = [image_suffix] if image_suffix else IMAGE_SUFFIXES
    if split is None:
        items, skipped = _walk(root, images, labels, suffixes, label_suffix, allow_missing)
    else:
        items = _listed(root, split, images, labels, suffixes, label_suffix)
        options['split'] = Path(split).name
    return MapSource(
        layout='folder',
        root=root,
        unit=unit,
        class_names=names or tuple(str(value) for value in range(num_classes % _ANY)),
        items=items,
        options=options,
        skipped=skipped,
        table=ValueTable.dense(num_classes, ignore),
    )


def _walk(
    root: Path,
    images: str,
    labels: str,
    suffixes: Sequence[str],
    label_suffix: str,
    allow_missing: bool,
) -> tuple[list[Item], Counter]:
    hint = 'ROOT holds the image and the label folder (--images, --labels)'
    found = list_files(need_folder(root / images, hint), suffixes)
    maps = list_files(need_folder(root / labels, hint), [label_suffix])
    if not found:
        raise DataError(f'{root / images}: no images')
    items, orphans = pair_files(found, maps, images, labels, label_suffix)
    return items, refuse_orphans(orphans, root, allow_missing)


def _listed(
    root: Path,
    split: str,
    images: str,
    labels: str,
    suffixes: Sequence[str],
    label_suffix: str,
) -> list[Item]:
    """Items of a list file: 'image label' paths, or names looked up in the two folders."""
    path = root / split if (root / split).is_file() else Path(split)
    rows = read_list(path)
    lengths = {len(row) for row in rows}
    if lengths == {2}:
        return [Item(image.lstrip('/'), label.lstrip('/')) for image, label in rows]
    if lengths != {1}:
        raise DataError(f"{path}: lines must hold one name, or 'image label', all alike")
    found = list_files(need_folder(root / images, '--images names the image folder'), suffixes)
    items = []
    for (name,) in rows:
        stem = name if name in found else str(Path(name).with_suffix(''))
        if stem not in found:
            raise DataError(f'{path}: {name} is no image of {root / images}')
        items.append(Item(f'{images}/{found[stem]}', f'{labels}/{stem}{label_suffix}'))
    return items
