"""Small data sets in the official layouts, and a selection written the slow way."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

SIZE = (40, 60)


def blocks(seed: int, values, cell: int = 8, size: tuple[int, int] = SIZE) -> np.ndarray:
    """A map of square pieces that hold the given values."""
    rng = np.random.default_rng(seed)
    small = rng.choice(np.asarray(values), (size[0] // cell + 1, size[1] // cell + 1))
    return np.kron(small, np.ones((cell, cell), int))[: size[0], : size[1]]


def write_image(path: Path, seed: int = 0, size: tuple[int, int] = SIZE) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def write_label(path: Path, label: np.ndarray, palette: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(label)
    if palette:
        image = Image.fromarray(label.astype(np.uint8), 'P')
        image.putpalette(np.random.default_rng(9).integers(0, 256, 768, dtype=np.uint8).tobytes())
    image.save(path)


def slow_pairs(label: np.ndarray, classes) -> list[tuple]:
    """(class, area, box) of each class that covers more than 1 % of a map."""
    found = []
    for value in classes:
        mask = label == value
        if mask.sum() > 0.01 * label.shape[0] * label.shape[1]:
            rows, columns = np.nonzero(mask)
            box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
            found.append((value, int(mask.sum()), tuple(int(side) for side in box)))
    return found


def make_voc(root: Path, count: int = 5) -> list[np.ndarray]:
    """VOC layout with palette labels, train list of all images; returns the labels."""
    labels = []
    for number in range(count):
        label = blocks(number, [0, 0, 1, 5, 20, 255]).astype(np.uint8)
        label[0, :3] = 7  # too small
        write_image(root / f'JPEGImages/{number:03d}.jpg', number)
        write_label(root / f'SegmentationClass/{number:03d}.png', label, palette=True)
        labels.append(label)
    lists = root / 'ImageSets/Segmentation'
    lists.mkdir(parents=True)
    (lists / 'train.txt').write_text(''.join(f'{number:03d}\n' for number in range(count)))
    return labels


def make_coco(root: Path) -> dict:
    """A COCO instance file: polygons, one of two parts, a crowd and a speck, over two images."""

    def square(x: int, y: int, side: int) -> list[int]:
        return [x, y, x + side, y, x + side, y + side, x, y + side]

    crowd = np.zeros(SIZE, np.uint8)
    crowd[20:30, 20:40] = 1
    runs = np.flatnonzero(np.diff(np.r_[0, crowd.ravel(order='F'), 0]))
    counts = np.diff(np.r_[0, runs, crowd.size]).tolist()
    shapes = [
        (1, 3, [square(2, 2, 10)], 0),
        (1, 3, [square(20, 2, 8), square(40, 2, 8)], 0),
        (1, 3, {'size': list(SIZE), 'counts': counts}, 1),
        (1, 7, [square(50, 30, 2)], 0),
        (2, 7, [square(5, 5, 20)], 0),
    ]
    data = {
        'info': {'description': 'äöü } ] "quoted"'},
        'images': [
            {'id': 2, 'file_name': 'b.jpg', 'width': SIZE[1], 'height': SIZE[0]},
            {'id': 1, 'file_name': 'a.jpg', 'width': SIZE[1], 'height': SIZE[0]},
        ],
        'annotations': [
            {
                'segmentation': segmentation,
                'iscrowd': is_crowd,
                'image_id': image,
                'category_id': category,
                'id': 900 + place,
            }
            for place, (image, category, segmentation, is_crowd) in enumerate(shapes)
        ],
        'categories': [{'id': 3, 'name': 'größe'}, {'id': 7, 'name': 'cup'}],
    }
    for name in ('a', 'b'):
        write_image(root / f'train2017/{name}.jpg')
    (root / 'annotations').mkdir()
    path = root / 'annotations/instances_train2017.json'
    path.write_text(json.dumps(data, ensure_ascii=False, indent=1), encoding='utf-8')
    return data
