#!/usr/bin/env python
"""Write COCO instance files of Cityscapes, which the detection configs read.

    python tools/dataset_converters/cityscapes_instances.py data/cityscapes

reads ``leftImg8bit/SPLIT/CITY/*_leftImg8bit.png`` and their ``*_gtFine_instanceIds.png``,
and writes ``annotations/instances_SPLIT.json``. Groups that nobody separated are crowd regions.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from pycocotools import mask as coco_mask

from semcl_mm.analysis.records import write_json
from semcl_mm.cli import user_errors
from semcl_mm.datasets.image_files import DataError, decode_label, read_bytes

# the classes with instances, by Cityscapes' label id
CLASSES = {
    24: 'person',
    25: 'rider',
    26: 'car',
    27: 'truck',
    28: 'bus',
    31: 'train',
    32: 'motorcycle',
    33: 'bicycle',
}


def main() -> None:
    """Parses the command line and writes a file per split."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('root', type=Path, help='folder with leftImg8bit and gtFine')
    parser.add_argument('--splits', nargs='+', default=['train', 'val'])
    args = parser.parse_args()
    with user_errors():
        for split in args.splits:
            content = convert(args.root, split)
            path = args.root / 'annotations' / f'instances_{split}.json'
            write_json(path, content)
            counts = {
                'file': str(path),
                'images': len(content['images']),
                'objects': sum(not entry['iscrowd'] for entry in content['annotations']),
                'crowds': sum(entry['iscrowd'] for entry in content['annotations']),
            }
            print(json.dumps(counts))


def convert(root: Path, split: str) -> dict:
    """The COCO instance file of a split.

    Raises:
        DataError: There are no images, or an image has no readable instance map of its own.
    """
    photos = root / 'leftImg8bit' / split
    files = sorted(photos.glob('*/*_leftImg8bit.png'))
    if not files:
        raise DataError(f'{photos}: no */*_leftImg8bit.png')
    images, annotations = [], []
    for number, file in enumerate(files, 1):
        name = f'{file.name.removesuffix("_leftImg8bit.png")}_gtFine_instanceIds.png'
        path = root / 'gtFine' / split / file.parent.name / name
        instances = decode_label(read_bytes(path), path)
        height, width = instances.shape
        images.append(
            dict(id=number, file_name=f'{file.parent.name}/{file.name}', height=height, width=width)
        )
        for value in np.unique(instances).tolist():
            label = value // 1000 if value >= 1000 else value
            if label in CLASSES:
                entry = annotation(instances == value, label, crowd=value < 1000)
                annotations.append(entry | dict(id=len(annotations) + 1, image_id=number))
    categories = [dict(id=label, name=name) for label, name in CLASSES.items()]
    return dict(images=images, annotations=annotations, categories=categories)


def annotation(mask: np.ndarray, label: int, crowd: bool) -> dict:
    """An object of a mask (H, W), as run lengths."""
    code = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
    return dict(
        category_id=label,
        iscrowd=int(crowd),
        area=int(mask.sum()),
        bbox=coco_mask.toBbox(code).tolist(),
        segmentation=dict(size=list(mask.shape), counts=code['counts'].decode()),
    )


if __name__ == '__main__':
    main()
