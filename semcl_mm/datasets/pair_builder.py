"""Choosing the pairs of a data set, in parallel, and writing them as one index file."""

import multiprocessing
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from semcl_mm.datasets.image_files import DataError, check_image
from semcl_mm.datasets.label_sources.base import Item, LabelSource, MissingLabel
from semcl_mm.datasets.pair_format import IMAGE, PAIR, PathTable, write_index
from semcl_mm.datasets.regions import large_enough

_LARGEST_SIDE = 0xFFFF
_CHUNK = 32

MISSING_LABEL = 'image without label'
TOO_SMALL = 'too small'
NO_PAIR = 'image without pair'


@dataclass(frozen=True)
class Selection:
    """Which objects become anchors.

    Attributes:
        area_rule: 'code' or 'paper', see :func:`semcl_mm.datasets.regions.large_enough`.
        min_area: share of the image that an object must exceed.
        allow_missing: count images without label instead of stopping.
    """

    area_rule: str = 'code'
    min_area: float = 0.01
    allow_missing: bool = False

    def __post_init__(self) -> None:
        large_enough(np.ones(1), 1, 1, self.area_rule, self.min_area)


@dataclass
class ImagePairs:
    """The pairs of one image, as rows of the index."""

    pairs: np.ndarray
    image: np.ndarray
    skipped: Counter = field(default_factory=Counter)
    class_names: dict[int, str] = field(default_factory=dict)
    offsets: np.ndarray | None = None


def choose_pairs(source: LabelSource, item: Item, selection: Selection) -> ImagePairs:
    """The pairs of one image.

    Args:
        source: the data set.
        item: one of its images.
        selection: which objects are kept.

    Returns:
        Rows of dtype ``PAIR``, ascending in class and instance, without image number; an empty
        row set where nothing is large enough.

    Raises:
        DataError: for an image or label that is missing, damaged, or does not fit.
    """
    path = source.root / item.image
    width, height, image_bytes = check_image(path)
    if max(width, height) > _LARGEST_SIDE:
        raise DataError(f'{path}: {width} x {height} pixels; an index holds at most 65535 a side')
    image = np.zeros(1, dtype=IMAGE)
    try:
        found = source.candidates(item, width, height)
    except MissingLabel:
        if not selection.allow_missing:
            raise
        return ImagePairs(np.empty(0, PAIR), image, Counter({MISSING_LABEL: 1}))

    kept = large_enough(found.areas, height, width, selection.area_rule, selection.min_area)
    skipped = Counter(found.skipped)
    if not kept.all():
        skipped[TOO_SMALL] += int(np.count_nonzero(~kept))
    pairs = np.zeros(np.count_nonzero(kept), dtype=PAIR)
    if not len(pairs):
        skipped[NO_PAIR] += 1
    pairs['category'] = found.categories[kept]
    pairs['instance'] = found.instances[kept]
    pairs['area'] = found.areas[kept]
    pairs['bbox'] = found.boxes[kept]
    label_bytes = found.label_bytes
    if isinstance(label_bytes, np.ndarray):
        label_bytes = int(label_bytes[kept].sum())
    if found.checks is not None:
        pairs['check'] = found.checks[kept]
    image[0] = (width, height, image_bytes, label_bytes, found.label_crc, 0)
    offsets = None if found.offsets is None else np.asarray(found.offsets, dtype='<u8')
    order = np.lexsort((pairs['instance'], pairs['category']))
    return ImagePairs(pairs[order], image, skipped, dict(found.class_names), offsets)


def build_index(
    source: LabelSource,
    out: str | Path,
    selection: Selection,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> dict:
    """Choose the pairs of a data set and write them to an index file.

    The file is the same, byte for byte, for any number of workers.

    Args:
        source: the data set.
        out: index file to write; complete or not at all.
        selection: which objects are kept.
        workers: processes.
        progress: called with (images done, images in all).

    Returns:
        Counts: images, images_with_pairs, pairs, skipped (by reason), pairs_per_class, bytes.

    Raises:
        DataError: for the first image that cannot be used, or where no pair remains.
    """
    _refuse_bad_target(Path(out))
    skipped = Counter(source.skipped)
    names: dict[int, str] = {}
    used: list[Item] = []
    pairs: list[np.ndarray] = []
    images: list[np.ndarray] = []
    offsets: list[np.ndarray] = []
    results = _choose_all(source, selection, workers)
    for done, (item, result) in enumerate(zip(source.items, results, strict=True), 1):
        skipped.update(result.skipped)
        names.update(result.class_names)
        if len(result.pairs):
            result.pairs['image'] = len(used)
            used.append(item)
            pairs.append(result.pairs)
            images.append(result.image)
            if result.offsets is not None:
                offsets.append(result.offsets)
        if progress:
            progress(done, len(source.items))
    if not pairs:
        reasons = ', '.join(f'{reason} {count}' for reason, count in sorted(skipped.items()))
        raise DataError(
            f'{source.root}: no pairs in {len(source.items)} images ({reasons}); no index written'
        )
    pair_rows, image_rows = np.concatenate(pairs), np.concatenate(images)
    image_rows['first_pair'] = np.cumsum([0, *map(len, pairs[:-1])])
    class_names = _class_names(source.class_names, names, int(pair_rows['category'].max()))
    counts = {
        'images': len(source.items),
        'images_with_pairs': len(used),
        'pairs': len(pair_rows),
        'skipped': dict(sorted(skipped.items())),
        'pairs_per_class': _per_class(pair_rows['category'], class_names),
    }
    affixes, table = PathTable.pack([item.image for item in used], [item.label for item in used])
    sections = {'pairs': pair_rows, 'images': image_rows, **table}
    if offsets:
        sections['annotations'] = np.concatenate(offsets)
        sections['annotation_ends'] = np.cumsum([len(row) for row in offsets]).astype('<u4')
    header = {
        'layout': source.layout,
        'unit': source.unit,
        'options': {
            **source.options,
            'area_rule': selection.area_rule,
            'min_area': selection.min_area,
        },
        'class_names': class_names,
        'counts': counts,
        'label': source.label_header(),
        'paths': affixes,
    }
    return {**counts, 'bytes': write_index(out, header, sections)}


def _choose_all(source: LabelSource, selection: Selection, workers: int) -> Iterator[ImagePairs]:
    """Results in the order of the items, whatever the number of workers."""
    choose = partial(choose_pairs, source, selection=selection)
    if workers <= 1 or len(source.items) <= _CHUNK:
        yield from map(choose, source.items)
        return
    # A fork shares the list of items and the imported modules; elsewhere they are sent once.
    context = multiprocessing.get_context('fork' if sys.platform == 'linux' else None)
    chunks = [
        range(start, min(start + _CHUNK, len(source.items)))
        for start in range(0, len(source.items), _CHUNK)
    ]
    with context.Pool(min(workers, len(chunks)), _start_worker, (source, selection)) as pool:
        for results in pool.imap(_work, chunks):
            yield from results


_JOB: tuple[LabelSource, Selection] | None = None


def _start_worker(source: LabelSource, selection: Selection) -> None:
    global _JOB
    _JOB = (source, selection)


def _work(rows: Iterable[int]) -> list[ImagePairs]:
    source, selection = _JOB
    return [choose_pairs(source, source.items[row], selection) for row in rows]


def _class_names(known: Iterable[str], found: dict[int, str], largest: int) -> list[str]:
    """Names for all classes up to the largest in use; a class without a name is its number."""
    names = list(known)
    for number in range(len(names), largest + 1):
        names.append(found.get(number, str(number)))
    return names


def _per_class(categories: np.ndarray, class_names: list[str]) -> dict[str, int]:
    """Pairs per class name; equal names are told apart by the class number."""
    repeated = {name for name, count in Counter(class_names).items() if count > 1}
    return {
        f'{class_names[number]} ({number})'
        if class_names[number] in repeated
        else class_names[number]: int(count)
        for number, count in enumerate(np.bincount(categories))
        if count
    }


def _refuse_bad_target(out: Path) -> None:
    """Notice before the work that its result cannot be written."""
    if out.is_dir():
        raise DataError(f'{out}: is a folder; --out names the index file')
    parent = next(folder for folder in out.absolute().parents if folder.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise DataError(f'{out}: cannot be written, {parent} is no folder with write permission')
