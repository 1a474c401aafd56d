"""Cityscapes' instance maps as COCO files."""

import json
import subprocess
import sys

import numpy as np
from PIL import Image
from pycocotools import mask as coco_mask

from semcl_mm.downstream.detection import CheckedCityscapesDataset, read_coco


def convert(repository, root, *options):
    tool = repository / 'tools/dataset_converters/cityscapes_instances.py'
    return subprocess.run(
        [sys.executable, tool, root, *options], capture_output=True, text=True, timeout=120
    )


def write_image(root, instances):
    for folder, name in (('leftImg8bit', 'leftImg8bit'), ('gtFine', 'gtFine_instanceIds')):
        (root / folder / 'train/a').mkdir(parents=True, exist_ok=True)
        array = np.zeros((*instances.shape, 3), np.uint8) if name == 'leftImg8bit' else instances
        Image.fromarray(array).save(root / folder / 'train/a' / f'a_1_2_{name}.png')


def test_numbered_things_become_objects_and_groups_become_crowds(repository, tmp_path):
    """Values: 7 road, 24000 a person, 24001 another, 26 a group of cars, 30000 a trailer."""
    instances = np.full((8, 10), 7, np.uint16)
    instances[1:3, 1:4], instances[4:6, 2:9], instances[6:8, :2] = 24000, 24001, 26
    instances[0, 9] = 30000
    write_image(tmp_path, instances)
    result = convert(repository, tmp_path, '--splits', 'train')
    assert json.loads(result.stdout)['objects'] == 2, result.stderr
    content = read_coco(tmp_path / 'annotations/instances_train.json')
    found = {(a['category_id'], a['iscrowd'], a['area']) for a in content['annotations']}
    assert found == {(24, 0, 6), (24, 0, 14), (26, 1, 4)}
    boxes = [a['bbox'] for a in content['annotations'] if not a['iscrowd']]
    assert boxes == [[1, 1, 3, 2], [2, 4, 7, 2]]


def test_an_image_without_an_instance_map_stops_before_anything_is_written(repository, tmp_path):
    write_image(tmp_path, np.full((8, 10), 7, np.uint16))
    (tmp_path / 'gtFine/train/a/a_1_2_gtFine_instanceIds.png').unlink()
    result = convert(repository, tmp_path, '--splits', 'train')
    assert result.returncode != 0
    assert result.stderr.startswith('error: ')
    assert 'a_1_2_gtFine_instanceIds.png' in result.stderr
    assert not (tmp_path / 'annotations').exists()


def test_real_instance_maps_are_covered_pixel_by_pixel(repository, tmp_path, real_data):
    for folder in ('leftImg8bit', 'gtFine'):
        (tmp_path / folder).symlink_to(real_data / 'cityscapes_sample' / folder)
    assert convert(repository, tmp_path, '--splits', 'train').returncode == 0
    path = tmp_path / 'annotations/instances_train.json'
    content = read_coco(path)
    first = content['images'][0]
    annotations = [a for a in content['annotations'] if a['image_id'] == first['id']]
    covered = sum(coco_mask.decode(a['segmentation']).astype(int) for a in annotations)
    assert covered.max() == 1
    labels = (
        tmp_path / 'gtFine/train' / first['file_name'].replace('_leftImg8bit', '_gtFine_labelIds')
    )
    things = np.isin(np.asarray(Image.open(labels)), [24, 25, 26, 27, 28, 31, 32, 33])
    assert (covered.astype(bool) == things).all()
    data = CheckedCityscapesDataset(
        data_root=str(tmp_path),
        ann_file='annotations/instances_train.json',
        data_prefix=dict(img='leftImg8bit/train'),
    )
    assert len(data) == 3
