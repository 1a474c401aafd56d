"""The counts of docs/pairs.md on real samples, against a plain loop over pixels and classes."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from semcl_mm.datasets import label_sources as layouts
from semcl_mm.datasets.label_sources.cityscapes import TRAIN_ID
from semcl_mm.datasets.pair_builder import Selection, build_index
from semcl_mm.datasets.pair_index import PairIndex

_VOC = 'voc_sample/VOCdevkit/VOC2012'
_CITY = 'cityscapes_sample'


def slow_count(labels, dropped, lookup=None) -> int:
    """Pairs of class maps, one comparison of the whole map for each value."""
    pairs = 0
    for path in labels:
        label = np.array(Image.open(path))
        if lookup is not None:
            label = lookup[label]
        for value in np.unique(label):
            if value not in dropped and np.sum(label == value) > 0.01 * label.size:
                pairs += 1
    return pairs


def built(source, tmp_path, allow_missing: bool = False) -> dict:
    selection = Selection(allow_missing=allow_missing)
    summary = build_index(source, tmp_path / 'index', selection)
    index = PairIndex.open(tmp_path / 'index', source.root)
    for i in range(0, len(index), max(1, len(index) // 25)):
        mask = index.anchor_mask(i, index.read_label(i))
        rows, columns = np.nonzero(mask)
        box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        assert (index.record(i).area, index.record(i).bbox) == (len(rows), box)
    return summary


@pytest.mark.parametrize(
    ('split', 'folder', 'pairs'),
    [
        ('train', 'SegmentationClass', 220),
        ('trainval', 'SegmentationClass', 427),
        ('train_aug', 'SegmentationClassAug', 438),
    ],
)
def test_voc_counts(real_data, tmp_path, split, folder, pairs) -> None:
    root = real_data / _VOC
    names = (root / f'ImageSets/Segmentation/{split}.txt').read_text().split()
    labels = [root / folder / f'{name}.png' for name in names]
    assert built(layouts.voc(root, split), tmp_path)['pairs'] == pairs
    assert slow_count(labels, {0, 255}) == pairs


def test_voc_object_counts(real_data, tmp_path) -> None:
    root = real_data / 'voc_object_sample'
    summary = built(layouts.voc(root, 'all', 'instance'), tmp_path)
    labels = sorted((root / 'SegmentationObject').glob('*.png'))
    assert summary['pairs'] == slow_count(labels, {0, 255}) == 10


@pytest.mark.parametrize('kind', ['labelIds', 'labelTrainIds'])
def test_cityscapes_counts(real_data, tmp_path, kind) -> None:
    root = real_data / _CITY
    lookup = np.arange(256)
    if kind == 'labelIds':
        lookup = np.full(256, 255)
        lookup[list(TRAIN_ID)] = list(TRAIN_ID.values())
    labels = sorted(root.glob(f'gtFine/train/*/*_{kind}.png'))
    summary = built(layouts.cityscapes(root, label=kind), tmp_path)
    assert summary['pairs'] == slow_count(labels, {255}, lookup) == 23


@pytest.mark.parametrize(
    ('root', 'options', 'labels', 'dropped', 'pairs'),
    [
        (
            'coco_stuff_sample',
            {'images': 'train_img', 'labels': 'train_label', 'num_classes': 182},
            'train_label',
            {255},
            74,
        ),
        (
            'instances/coco',
            {
                'images': 'train2017',
                'labels': 'semantic_train2017',
                'ignore': [0],
                'num_classes': 201,
                'allow_missing': True,
            },
            'semantic_train2017',
            {0},
            503,
        ),
        (
            'camvid',
            {'images': 'val', 'labels': 'valannot', 'ignore': [11], 'num_classes': 12},
            'valannot',
            {11},
            807,
        ),
        (
            'camvid',
            {'split': 'train.txt', 'ignore': [11], 'num_classes': 12},
            'trainannot',
            {11},
            2469,
        ),
    ],
    ids=['coco-stuff', 'coco-semantic', 'camvid-val', 'camvid-train'],
)
def test_folder_counts(real_data, tmp_path, root, options, labels, dropped, pairs) -> None:
    root = real_data / root
    files = sorted((root / labels).glob('*.png'))
    source = layouts.folder(root, **options)
    summary = built(source, tmp_path, options.get('allow_missing', False))
    assert summary['pairs'] == pairs
    assert slow_count(files, dropped) == pairs


def test_coco_stuff_layout_finds_the_pairs_of_the_folder(real_data, tmp_path) -> None:
    root = tmp_path / 'coco'
    (root / 'stuffthingmaps_trainval2017').mkdir(parents=True)
    sample = real_data / 'coco_stuff_sample'
    (root / 'train2017').symlink_to(sample / 'train_img')
    (root / 'stuffthingmaps_trainval2017/train2017').symlink_to(sample / 'train_label')
    assert built(layouts.coco_stuff(root), tmp_path)['pairs'] == 74


def test_ade_counts(real_data, tmp_path) -> None:
    root = real_data / 'ade_sample/ADEChallengeData2016'
    labels = sorted((root / 'annotations/validation').glob('*.png'))
    summary = built(layouts.ade20k(root, 'validation'), tmp_path)
    assert summary['pairs'] == slow_count(labels, {0}) == 20


def coco_masks(path: Path) -> dict:
    """Masks of all annotations by (image, category, crowd), drawn by COCO's own API."""
    from pycocotools.coco import COCO

    data = COCO(str(path))
    masks: dict = {}
    for annotation in data.dataset['annotations']:
        key = (annotation['image_id'], annotation['category_id'], annotation['iscrowd'])
        masks.setdefault(key, []).append(data.annToMask(annotation).astype(bool))
    return masks


@pytest.mark.parametrize(
    ('split', 'instances', 'classes'), [('train2017', 382, 246), ('val2017', 257, 176)]
)
def test_coco_counts(real_data, tmp_path, split, instances, classes) -> None:
    root = real_data / 'instances/coco'
    path = root / f'annotations/instances_{split}.json'
    masks = coco_masks(path)
    large = [
        int(mask.sum() > 0.01 * mask.size)
        for (_, _, is_crowd), group in masks.items()
        if not is_crowd
        for mask in group
    ]
    summary = built(layouts.coco(root, split), tmp_path)
    assert summary['pairs'] == sum(large) == instances
    crowds = sum(entry['iscrowd'] for entry in json.loads(path.read_text())['annotations'])
    assert summary['skipped']['crowd'] == crowds

    union: dict = {}
    for (image, category, _), group in masks.items():
        mask = np.logical_or.reduce(group)
        union[image, category] = union.get((image, category), False) | mask
    kept = sum(mask.sum() > 0.01 * mask.size for mask in union.values())
    assert built(layouts.coco(root, split, 'class'), tmp_path)['pairs'] == kept == classes
