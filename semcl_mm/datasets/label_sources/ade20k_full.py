"""Full ADE20K (ADE20K_2021_17_01): one mask file per instance, parts and stuff included."""

import json
import re
import zlib
from collections import Counter
from pathlib import Path

import numpy as np

from semcl_mm.datasets.image_files import DataError, decode_label, read_bytes
from semcl_mm.datasets.label_sources.base import Candidates, Item, LabelSource, MissingLabel
from semcl_mm.datasets.label_sources.listing import list_files, need_folder
from semcl_mm.datasets.regions import find_regions

PATTERN = 'instance_{instance:03d}_{name}.png'
_NUMBER = re.compile(r'instance_(\d+)_')
_VISIBLE, _OCCLUDED = 255, 128


class InstanceMaskSource(LabelSource):
    """Objects drawn one by one: 255 is the object, 128 its occluded part, 0 the rest."""

    def label_header(self) -> dict:
        return {'kind': 'mask files', 'pattern': PATTERN, 'mark': _VISIBLE}

    def candidates(self, item: Item, width: int, height: int) -> Candidates:
        folder = self.root / item.label
        image = self.root / item.image
        if not folder.is_dir():
            raise MissingLabel(
                f'{image}: has no mask folder {folder}; --allow-missing skips and counts it'
            )
        categories, class_names = _object_classes(folder.with_suffix('.json'))
        rows, skipped = [], Counter()
        for instance, path in _mask_files(folder):
            data = read_bytes(path)
            mask = decode_label(data, path)
            if mask.shape != (height, width):
                raise DataError(
                    f'{path}: mask of {mask.shape[1]} x {mask.shape[0]} pixels, but its image '
                    f'has {width} x {height}'
                )
            regions = find_regions(mask)
            unknown = set(regions.values.tolist()) - {0, _OCCLUDED, _VISIBLE}
            if unknown:
                raise DataError(f'{path}: mask value {min(unknown)} is none of 0, 128, 255')
            visible = regions.values == _VISIBLE
            if not visible.any():
                skipped['nothing visible'] += 1
                continue
            rows.append(
                (
                    categories.get(path.name, 0),
                    instance,
                    int(regions.areas[visible][0]),
                    regions.boxes[visible][0],
                    len(data),
                    zlib.crc32(data) & 0xFFFF,
                )
            )
        columns = [np.array(column) for column in zip(*rows, strict=True)] or [np.empty(0, int)] * 6
        return Candidates(
            categories=columns[0],
            instances=columns[1],
            areas=columns[2],
            boxes=columns[3].reshape(-1, 4),
            label_bytes=columns[4],
            checks=columns[5],
            skipped=skipped,
            class_names={0: 'unknown', **class_names},
        )


def ade20k_full(root: Path, split: str | None = None, unit: str = 'instance') -> InstanceMaskSource:
    """Pairs of the full ADE20K, as in the paper: each instance mask, its value 255.

    Args:
        root: folder that holds images/ADE (ADE20K_2021_17_01).
        split: 'training' if None.
        unit: 'instance'; the masks of one image overlap, so that there is no map of classes.

    Classes are ADE's name numbers, from the JSON file beside each image; 0 where there is none.
    """
    if unit != 'instance':
        raise DataError('ade20k-full has instance masks only: --unit instance')
    split = split or 'training'
    base = f'images/ADE/{split}'
    hint = 'ROOT is the folder that holds images/ADE (…/ADE20K_2021_17_01)'
    need_folder(root / 'images' / 'ADE', hint)
    folder = need_folder(root / base, f'there is no split {split!r}')
    images = list_files(folder, ['.jpg'])
    if not images:
        raise DataError(f'{folder}: no .jpg files')
    return InstanceMaskSource(
        layout='ade20k-full',
        root=root,
        unit=unit,
        class_names=('unknown',),
        items=[Item(f'{base}/{name}', f'{base}/{stem}') for stem, name in images.items()],
        options={'split': split},
    )


def _mask_files(folder: Path) -> list[tuple[int, Path]]:
    """Mask files by instance number."""
    found = []
    for path in folder.glob('instance_*.png'):
        match = _NUMBER.match(path.name)
        number = int(match[1]) if match else -1
        if path.name != PATTERN.format(instance=number, name=folder.name):
            raise DataError(f'{path}: expected a name such as instance_000_{folder.name}.png')
        found.append((number, path))
    return sorted(found)


def _object_classes(path: Path) -> tuple[dict[str, int], dict[int, str]]:
    """Class of each mask file and the classes' names, from an image's JSON file."""
    if not path.is_file():
        return {}, {}
    text = read_bytes(path)
    try:
        # Some of the official files are Latin-1.
        try:
            annotation = json.loads(text)
        except UnicodeDecodeError:
            annotation = json.loads(text.decode('latin-1'))
        categories, names = {}, {}
        for entry in annotation['annotation']['object']:
            number = int(entry['name_ndx'])
            categories[Path(entry['instance_mask']).name] = number
            names[number] = str(entry.get('name', entry.get('raw_name', number)))
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f'{path}: damaged annotation file ({error!r})') from None
    return categories, names
