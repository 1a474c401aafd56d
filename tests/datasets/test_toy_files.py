"""What stands in the files of a toy world, read back by the tools that others use."""

import json

import cv2
import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from semcl_mm.datasets.toy import TOY_CLASSES, ToyParameters, voc_palette
from semcl_mm.datasets.toy.scene import sample_scene

VOID = 255


def read(path):
    return np.asarray(Image.open(path))


@pytest.fixture(scope='module')
def titles(toy_world):
    return (toy_world / 'ImageSets/Segmentation/trainval.txt').read_text().split()


def test_the_palette_is_pascals():
    palette = voc_palette()
    expected = {0: (0, 0, 0), 1: (128, 0, 0), 8: (64, 0, 0), 15: (192, 128, 128)}
    for index, colour in {**expected, 20: (0, 64, 128), 255: (224, 224, 192)}.items():
        assert tuple(palette[index]) == colour


def test_label_maps_are_palette_images_of_the_images_size(toy_world, titles):
    for title in titles:
        size = Image.open(toy_world / f'JPEGImages/{title}.jpg').size
        for folder in ('SegmentationClass', 'SegmentationObject'):
            picture = Image.open(toy_world / folder / f'{title}.png')
            assert (picture.mode, picture.size) == ('P', size) == ('P', (96, 72))
            assert picture.getpalette() == voc_palette().ravel().tolist()


def test_every_instance_has_one_class_and_both_maps_share_the_void(toy_world, titles):
    for title in titles:
        classes = read(toy_world / f'SegmentationClass/{title}.png')
        instances = read(toy_world / f'SegmentationObject/{title}.png')
        assert set(np.unique(classes)) <= {*range(len(TOY_CLASSES)), VOID}
        np.testing.assert_array_equal(classes == VOID, instances == VOID)
        np.testing.assert_array_equal(classes == 0, instances == 0)
        for number in set(np.unique(instances)) - {0, VOID}:
            assert len(np.unique(classes[instances == number])) == 1


def test_every_class_occurs_and_some_images_repeat_a_class(toy_world, titles):
    seen, repeats = set(), 0
    for title in titles:
        classes = read(toy_world / f'SegmentationClass/{title}.png')
        instances = read(toy_world / f'SegmentationObject/{title}.png')
        present = set(np.unique(classes)) - {0, VOID}
        seen |= present
        repeats += len(set(np.unique(instances)) - {0, VOID}) > len(present)
    assert seen == set(range(1, len(TOY_CLASSES)))
    assert repeats > 0


@pytest.mark.parametrize('split', ['train', 'val'])
def test_coco_masks_areas_and_boxes_agree_with_the_instance_maps(toy_world, split):
    coco = COCO(toy_world / f'annotations/instances_{split}.json')
    listed = (toy_world / f'ImageSets/Segmentation/{split}.txt').read_text().split()
    assert [i['file_name'] for i in coco.dataset['images']] == [f'{t}.jpg' for t in listed]
    assert [c['name'] for c in coco.loadCats(coco.getCatIds())] == list(TOY_CLASSES[1:])
    assert min(coco.anns) == 1  # pycocotools takes an id of 0 for "no match"
    for image in coco.dataset['images']:
        title = image['file_name'].removesuffix('.jpg')
        classes = read(toy_world / f'SegmentationClass/{title}.png')
        instances = read(toy_world / f'SegmentationObject/{title}.png')
        annotations = coco.loadAnns(coco.getAnnIds(image['id']))
        assert set(np.unique(instances)) - {0, VOID} == set(range(1, len(annotations) + 1))
        for number, annotation in enumerate(annotations, 1):
            mask = coco.annToMask(annotation).astype(bool)
            clear = instances != VOID
            np.testing.assert_array_equal(mask & clear, instances == number)
            assert set(classes[mask & clear]) == {annotation['category_id']}
            assert annotation['area'] == mask.sum()
            rows, columns = np.nonzero(mask)
            x, y, width, height = annotation['bbox']
            assert (x, y) == (columns.min(), rows.min())
            assert (x + width, y + height) == (columns.max() + 1, rows.max() + 1)
            assert annotation['iscrowd'] == 0


def test_the_empty_room_backprojects_to_a_ground_and_a_wall(toy_world, titles):
    camera = json.loads((toy_world / 'camera.json').read_text())
    parameters = ToyParameters(scenes=24, clips=2, frames=10, size=(96, 72))
    for index in range(4):
        scene = sample_scene(parameters.scene_rng(index, 0), parameters.size)
        stored = cv2.imread(str(toy_world / f'depth/{titles[index]}.png'), cv2.IMREAD_UNCHANGED)
        assert stored.dtype == np.uint16
        free = read(toy_world / f'SegmentationObject/{titles[index]}.png') == 0
        v, u = np.nonzero(free)
        z = stored[free] / camera['depth_scale']
        x, y = z * (u - camera['cx']) / camera['fx'], z * (v - camera['cy']) / camera['fy']
        sin, cos = np.sin(scene.pose.pitch), np.cos(scene.pose.pitch)
        height = scene.pose.elevation - (y * cos + z * sin)
        ahead, yaw = z * cos - y * sin, scene.wall.yaw
        to_wall = scene.wall.distance - ahead * np.cos(yaw) - x * np.sin(yaw)
        # Values are rounded to whole millimetres.
        assert np.minimum(abs(height), abs(to_wall)).max() < 2e-3
        assert min(height.min(), to_wall.min()) > -2e-3


def test_clip_masks_keep_their_numbers_while_the_objects_move(toy_world):
    categories = json.loads((toy_world / 'clips/instances.json').read_text())
    lines = [
        line.split()
        for split in ('train', 'val')
        for line in (toy_world / f'clips/{split}.txt').read_text().splitlines()
    ]
    assert [folder for folder, _ in lines] == ['train/clip_000', 'val/clip_001']
    for folder, count in lines:
        frames = sorted((toy_world / 'clips' / folder).iterdir())
        assert [p.name for p in frames] == [f'{k:05d}.jpg' for k in range(int(count))]
        masks = np.stack(
            [read(toy_world / 'clips_masks' / folder / f'{p.stem}.png') for p in frames]
        )
        numbers = set(np.unique(masks)) - {0}
        assert numbers
        assert {str(n) for n in numbers} <= categories[folder].keys()
        assert (masks[0] != masks[-1]).any()
        for number in numbers:
            overlap = (masks[1:] == number) & (masks[:-1] == number)
            sizes = np.minimum(
                (masks[1:] == number).sum((1, 2)), (masks[:-1] == number).sum((1, 2))
            )
            large = sizes > 60
            assert (overlap.sum((1, 2))[large] > 0.6 * sizes[large]).all()
