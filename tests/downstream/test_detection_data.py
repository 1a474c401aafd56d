"""Detection data: what is wrong is named, what is left out is said, labels mean their classes."""

import copy
import itertools
import json

import cv2
import numpy as np
import pytest
from mmdet.datasets.transforms import PackDetInputs
from pycocotools import mask as coco_mask

from semcl_mm.downstream import CheckedImage
from semcl_mm.downstream.detection import (
    AspectRatioSampler,
    CheckedCocoDataset,
    CheckedDetAnnotations,
    CheckedVOCDataset,
    read_coco,
)

SQUARE = [[2, 2, 12, 2, 12, 12, 2, 12]]
CLASSES = ('dog', 'cat')


def annotation(number, image=1, category=7, bbox=(2, 2, 10, 10), **more):
    entry = dict(id=number, image_id=image, category_id=category, bbox=list(bbox), area=100)
    return entry | dict(segmentation=copy.deepcopy(SQUARE), iscrowd=0) | more


def world():
    """Two images and, in an order that is not the config's, two categories."""
    return dict(
        images=[
            dict(id=1, file_name='a.png', width=40, height=30),
            dict(id=2, file_name='b.png', width=40, height=30),
        ],
        categories=[dict(id=7, name='cat'), dict(id=3, name='dog')],
        annotations=[annotation(1), annotation(2, category=3)],
    )


@pytest.fixture
def folder(tmp_path):
    for name in 'ab':
        cv2.imwrite(str(tmp_path / f'{name}.png'), np.full((30, 40, 3), 90, np.uint8))
    return tmp_path


def dataset(folder, content, **options):
    (folder / 'instances.json').write_text(json.dumps(content))
    pipeline = [
        dict(type=CheckedImage),
        dict(type=CheckedDetAnnotations, with_bbox=True, with_mask=True),
        dict(type=PackDetInputs),
    ]
    settings = dict(
        data_root=str(folder),
        ann_file='instances.json',
        data_prefix=dict(img='.'),
        metainfo=dict(classes=CLASSES),
        filter_cfg=dict(filter_empty_gt=True, min_size=8),
        pipeline=pipeline,
    )
    return CheckedCocoDataset(**(settings | options))


BROKEN = {
    'annotation 9 belongs to image 5, which is unknown': dict(annotation=annotation(9, image=5)),
    'annotation 9 has the unknown category 1': dict(annotation=annotation(9, category=1)),
    r'annotation 9: bbox \[1, 2\] is not four numbers': dict(annotation=annotation(9, bbox=(1, 2))),
    r'bbox \[nan, 2, 3, 4\] is not four': dict(annotation=annotation(9, bbox=(np.nan, 2, 3, 4))),
    "the id 1 is there twice in 'annotations'": dict(annotation=annotation(1)),
    "the list 'images' is empty": dict(images=[]),
    "no list 'categories'": dict(categories=None),
    r"images\[0\] has no 'width'": dict(images=[dict(id=1, file_name='a.png', height=3)]),
    r"images\[0\]: width '64' is no number": dict(
        images=[dict(id=1, file_name='a.png', height=3, width='64')]
    ),
    r'images\[0\]: file_name None is no text': dict(
        images=[dict(id=1, file_name=None, height=3, width=4)]
    ),
    r'annotations\[2\]: image_id \[1\] is no id': dict(annotation=annotation(9, image=[1])),
    'annotation 9: area None is not a number': dict(annotation=annotation(9, area=None)),
    "two categories are called 'cat'": dict(
        categories=[dict(id=7, name='cat'), dict(id=3, name='cat')]
    ),
}


@pytest.mark.parametrize('message', BROKEN)
def test_a_broken_annotation_file_is_named_with_what_is_wrong(tmp_path, message):
    content = world()
    for key, value in BROKEN[message].items():
        if key == 'annotation':
            content['annotations'].append(value)
        else:
            content[key] = value
    path = tmp_path / 'broken.json'
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=rf'broken\.json.*{message}'):
        read_coco(path)


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('', 'empty'),
        ('{"images": [', 'truncated or damaged'),
        ('[]', 'no COCO instance file'),
        (None, 'cannot be read'),
    ],
)
def test_a_missing_empty_or_cut_annotation_file_is_named(tmp_path, text, message):
    path = tmp_path / 'instances.json'
    if text is not None:
        path.write_text(text)
    with pytest.raises(ValueError, match=rf'instances\.json.*{message}'):
        read_coco(path)


def test_labels_follow_the_names_of_the_config_and_not_the_order_of_the_file(folder):
    data = dataset(folder, world())
    assert [i['bbox_label'] for i in data.get_data_info(0)['instances']] == [1, 0]
    assert data.cat_ids == [3, 7]


def test_a_class_that_the_file_does_not_have_is_named(folder):
    with pytest.raises(ValueError, match=r"no category 'bird'; it has 'cat', 'dog'"):
        dataset(folder, world(), metainfo=dict(classes=('cat', 'bird')))


def test_images_without_objects_are_left_out_of_training_and_kept_in_the_test(folder, caplog):
    content = world()
    content['annotations'].append(annotation(3, image=2, iscrowd=1))
    with caplog.at_level('INFO'):
        assert len(dataset(folder, content)) == 1
    assert len(dataset(folder, content, test_mode=True)) == 2


def test_a_split_without_any_object_cannot_be_trained_on_but_tested(folder):
    content = world() | dict(annotations=[])
    with pytest.raises(ValueError, match='not one of 2 images can be trained on'):
        dataset(folder, content)
    assert len(dataset(folder, content, test_mode=True)) == 2


def test_boxes_are_cut_at_the_border_and_left_out_where_nothing_is_inside(folder):
    content = world()
    content['annotations'] = [
        annotation(1, bbox=(-5, -5, 20, 20)),
        annotation(2, bbox=(50, 2, 10, 10)),  # to the right of the image
        annotation(3, bbox=(5, 5, 0.5, 9)),  # half a pixel wide
    ]
    data = dataset(folder, content)
    assert [i['bbox'] for i in data.get_data_info(0)['instances']] == [[0, 0, 15, 15]]
    assert data._unusable == [2, 3]


def test_polygons_and_both_kinds_of_run_lengths_give_the_same_mask(folder):
    code = coco_mask.merge(coco_mask.frPyObjects(SQUARE, 30, 40))
    flat = coco_mask.decode(code).T.reshape(-1)
    runs, value = [], 0
    for bit, group in itertools.groupby(flat):
        if bit != value:
            runs.append(0)
        runs.append(len(list(group)))
        value = 1 - bit
    content = world()
    compressed = dict(size=[30, 40], counts=code['counts'].decode())
    kinds = [SQUARE, compressed, dict(size=[30, 40], counts=runs)]
    content['annotations'] = [annotation(n, segmentation=kind) for n, kind in enumerate(kinds)]
    masks = dataset(folder, content)[0]['data_samples'].gt_instances.masks.masks
    assert masks[0].sum() == 100
    assert (masks == masks[:1]).all()


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(annotation=dict(segmentation=[])), 'object 0 has no segmentation'),
        (
            dict(annotation=dict(segmentation=dict(size=[9, 9], counts=[81]))),
            r'mask of size \[9, 9\]',
        ),
        (dict(image=dict(width=41)), r'30 rows and 40 columns, its annotations are for 30 x 41'),
        (dict(cut=True), 'truncated'),
    ],
)
def test_masks_and_images_that_do_not_belong_together_stop_with_the_file(folder, change, message):
    content = world()
    content['annotations'][0] |= change.get('annotation', {})
    content['images'][0] |= change.get('image', {})
    if change.get('cut'):
        (folder / 'a.png').write_bytes((folder / 'a.png').read_bytes()[:-20])
    with pytest.raises(ValueError, match=rf'a\.png.*{message}'):
        dataset(folder, content)[0]


def test_crowds_are_regions_to_ignore_and_no_objects(folder):
    content = world()
    run_lengths = dict(size=[30, 40], counts=[0, 1200])
    content['annotations'][1] |= dict(iscrowd=1, segmentation=run_lengths)
    sample = dataset(folder, content)[0]['data_samples']
    assert sample.gt_instances.labels.tolist() == [1]
    assert sample.ignored_instances.labels.tolist() == [0]


def voc(folder, objects, **kwargs):
    root = folder / 'VOC2007'
    for name in ('JPEGImages', 'Annotations', 'ImageSets/Main'):
        (root / name).mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(root / 'JPEGImages/a.jpg'), np.full((30, 40, 3), 90, np.uint8))
    size = '<size><width>40</width><height>30</height></size>'
    text = f'<annotation>{size}{objects}</annotation>' if objects is not None else ''
    (root / 'Annotations/a.xml').write_text(text)
    (root / 'ImageSets/Main/test.txt').write_text('a\n')
    return CheckedVOCDataset(
        data_root=str(folder),
        ann_file='VOC2007/ImageSets/Main/test.txt',
        data_prefix=dict(sub_data_root='VOC2007'),
        filter_cfg=dict(filter_empty_gt=True),
        pipeline=[],
        **kwargs,
    )


def voc_object(name='dog', box=(1, 1, 10, 10), difficult=0):
    corners = ''.join(
        f'<{k}>{v}</{k}>' for k, v in zip(('xmin', 'ymin', 'xmax', 'ymax'), box, strict=True)
    )
    return (
        f'<object><name>{name}</name><difficult>{difficult}</difficult>'
        f'<bndbox>{corners}</bndbox></object>'
    )


def test_voc_boxes_begin_at_zero_and_difficult_objects_are_ignored(tmp_path):
    data = voc(tmp_path, voc_object() + voc_object(box=(5, 5, 20, 20), difficult=1))
    instances = data.get_data_info(0)['instances']
    assert [(i['bbox'], i['ignore_flag']) for i in instances] == [
        ([0, 0, 9, 9], 0),
        ([4, 4, 19, 19], 1),
    ]


@pytest.mark.parametrize('test_mode', [False, True])
def test_difficult_objects_are_learned_where_asked_for_and_never_counted_in_a_test(
    tmp_path, test_mode
):
    data = voc(tmp_path, voc_object(difficult=1), learn_difficult=True, test_mode=test_mode)
    assert [i['ignore_flag'] for i in data.get_data_info(0)['instances']] == [int(test_mode)]


@pytest.mark.parametrize(
    ('objects', 'message'),
    [
        (None, r'a\.xml: empty or damaged XML'),
        (voc_object('unicorn'), "object 0 is a 'unicorn', which is no VOC class"),
        (voc_object(box=(5, 5, 5, 9)), r'object 0 \(dog\): the box .* is empty'),
        (voc_object(box=('x', 5, 5, 9)), 'is not four numbers'),
        ('', 'not one of 1 images can be trained on'),
    ],
)
def test_a_voc_file_that_cannot_be_used_is_named(tmp_path, objects, message):
    with pytest.raises(ValueError, match=message):
        voc(tmp_path, objects)


class Sizes(list):
    """Landscape and portrait images, in no order."""

    def get_data_info(self, index):
        return dict(width=self[index], height=50)


def test_a_batch_holds_images_of_one_orientation_and_every_image_comes_once_per_round():
    sizes = Sizes([100, 20, 100, 100, 20, 100, 20, 100, 20, 20, 100, 100])
    stream = list(itertools.islice(AspectRatioSampler(sizes, 3, seed=1), 1200))
    batches = [stream[i : i + 3] for i in range(0, len(stream), 3)]
    assert all(len({sizes[i] for i in batch}) == 1 for batch in batches)
    counts = np.bincount(stream)
    assert counts.max() - counts.min() <= 2
    skipped = AspectRatioSampler(sizes, 3, seed=1)
    skipped.skip(417)
    assert list(itertools.islice(skipped, 50)) == stream[417:467]


def test_the_real_coco_sample_is_read_as_its_readme_describes_it(real_data):
    """128 images, 939 objects of which 10 are crowds, 71 classes, 2 images without objects."""
    settings = dict(
        data_root=str(real_data / 'instances/coco'),
        ann_file='annotations/instances_train2017.json',
        data_prefix=dict(img='train2017'),
        pipeline=[
            dict(type=CheckedImage),
            dict(type=CheckedDetAnnotations, with_bbox=True, with_mask=True),
            dict(type=PackDetInputs),
        ],
    )
    everything = CheckedCocoDataset(**settings, test_mode=True)
    instances = [i for n in range(128) for i in everything.get_data_info(n)['instances']]
    assert len(everything) == 128
    assert (len(instances), sum(i['ignore_flag'] for i in instances)) == (939, 10)
    assert len({i['bbox_label'] for i in instances}) == 71
    trained = CheckedCocoDataset(**settings, filter_cfg=dict(filter_empty_gt=True))
    assert len(trained) == 126
    crowded = next(n for n, e in enumerate(trained) if len(e['data_samples'].ignored_instances))
    assert trained[crowded]['data_samples'].ignored_instances.masks.masks.any()


def test_the_real_voc_sample_is_read(real_data):
    data = CheckedVOCDataset(
        data_root=str(real_data / 'voc_sample/VOCdevkit'),
        ann_file='VOC2012/ImageSets/Main/val.txt',
        data_prefix=dict(sub_data_root='VOC2012'),
        test_mode=True,
        pipeline=[],
    )
    assert len(data) == 120
    assert all(len(data.get_data_info(n)['instances']) for n in range(120))
