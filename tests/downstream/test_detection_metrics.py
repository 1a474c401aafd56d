"""AP against mmdet's and pycocotools' own, and where nothing is defined or nothing was found."""

import json
import math

import numpy as np
import pytest
import torch
from mmdet.evaluation.functional.mean_ap import average_precision, tpfp_default
from pycocotools import mask as coco_mask

from semcl_mm.downstream.detection import (
    COCODetectionMetric,
    Detections,
    VOCDetectionMetric,
    voc_average_precision,
)


def boxes(generator, number):
    corner = generator.uniform(0, 60, (number, 2))
    return np.concatenate([corner, corner + generator.uniform(15, 40, (number, 2))], axis=1)


def random_images(seed, images=6, classes=3):
    generator = np.random.default_rng(seed)
    result = []
    for _ in range(images):
        truth, difficult = boxes(generator, 4), boxes(generator, 2)
        near = np.concatenate([truth, truth, difficult]) + generator.normal(0, 4, (10, 4))
        found = np.concatenate([near, boxes(generator, 5)])
        result.append(
            Detections(
                found,
                generator.uniform(0, 1, 15),
                generator.integers(0, classes, 15),
                truth,
                generator.integers(0, classes, 4),
                difficult,
                generator.integers(0, classes, 2),
            )
        )
    return result


def oracle(images, label, threshold, interpolation):
    """mmdet's matching, image by image and detection by detection."""
    rows, objects = [], 0
    for image in images:
        chosen = image.labels == label
        found = np.hstack([image.boxes[chosen], image.scores[chosen, None]])
        truth = image.true_boxes[image.true_labels == label]
        objects += len(truth)
        difficult = image.difficult_boxes[image.difficult_labels == label]
        true, false = tpfp_default(found, truth, difficult, threshold, use_legacy_coordinate=True)
        rows += list(zip(found[:, 4], true[0], false[0], strict=True))
    rows = np.array(sorted(rows, key=lambda row: -row[0]))
    true, false = np.cumsum(rows[:, 1]), np.cumsum(rows[:, 2])
    precision = true / np.maximum(true + false, np.finfo(np.float32).eps)
    return average_precision(true / objects, precision, interpolation)


@pytest.mark.parametrize('interpolation', ['11points', 'area'])
@pytest.mark.parametrize('seed', range(4))
def test_voc_ap_equals_a_loop_over_detections(seed, interpolation):
    images = random_images(seed)
    thresholds = np.array([0.5, 0.65, 0.75])
    for label in range(3):
        ap = voc_average_precision(images, label, thresholds, interpolation)
        expected = [oracle(images, label, t, interpolation) for t in thresholds]
        assert ap == pytest.approx(expected, abs=1e-6)


def test_the_voc_mean_leaves_out_classes_without_objects_and_without_any_it_is_nan():
    images = random_images(0)
    metric = VOCDetectionMetric()
    metric.dataset_meta = dict(classes=('a', 'b', 'c', 'absent'))
    everything = metric.compute_metrics(images)
    metric.dataset_meta = dict(classes=('a', 'b', 'c'))
    assert everything == metric.compute_metrics(images)
    per_class = [voc_average_precision(images, k, np.array([0.5]))[0] for k in range(3)]
    assert everything['AP50'] == pytest.approx(100 * np.mean(per_class))
    metric.dataset_meta = dict(classes=())
    nothing = [image._replace(true_labels=image.true_labels + 9) for image in images]
    metric.dataset_meta = dict(classes=('a',))
    assert all(math.isnan(value) for value in metric.compute_metrics(nothing).values())


@pytest.fixture
def ground_truth(tmp_path):
    """Two images of 100 x 100 with three squares; the third category has no object."""
    squares = [(1, 5, [10, 10, 40, 40]), (1, 9, [60, 60, 30, 30]), (2, 5, [20, 20, 50, 50])]
    annotations = []
    for number, (image, category, (x, y, width, height)) in enumerate(squares, 1):
        polygon = [x, y, x + width, y, x + width, y + height, x, y + height]
        annotations.append(
            dict(id=number, image_id=image, category_id=category, bbox=[x, y, width, height])
            | dict(area=width * height, iscrowd=0, segmentation=[polygon])
        )
    content = dict(
        images=[dict(id=i, file_name=f'{i}.jpg', width=100, height=100) for i in (1, 2)],
        categories=[dict(id=i, name=n) for i, n in ((5, 'a'), (9, 'b'), (1, 'c'))],
        annotations=annotations,
    )
    path = tmp_path / 'instances.json'
    path.write_text(json.dumps(content))
    return path, squares


def evaluate(path, found, images=(1, 2), **options):
    """``found``: image -> list of (box x1 y1 x2 y2, label, score); the mask fills the box."""
    metric = COCODetectionMetric(**options)
    metric.dataset_meta = dict(classes=('a', 'b', 'c'), ann_file=str(path))
    for image in images:
        rows = found.get(image, [])
        masks = torch.zeros(len(rows), 100, 100, dtype=torch.bool)
        for mask, ((x1, y1, x2, y2), _, _) in zip(masks, rows, strict=True):
            mask[y1:y2, x1:x2] = True
        instances = dict(
            bboxes=torch.tensor([row[0] for row in rows]).float().reshape(-1, 4),
            labels=torch.tensor([row[1] for row in rows], dtype=torch.long),
            scores=torch.tensor([row[2] for row in rows]).float(),
            masks=masks,
        )
        metric.process({}, [dict(img_id=image, pred_instances=instances)])
    return metric.evaluate(size=len(images))


def test_perfect_detections_have_an_ap_of_100_over_the_classes_that_are_there(ground_truth):
    path, _ = ground_truth
    found = {1: [((10, 10, 50, 50), 0, 0.9), ((60, 60, 90, 90), 1, 0.9)]}
    found[2] = [((20, 20, 70, 70), 0, 0.8)]
    metrics = evaluate(path, found)
    assert metrics['APbox'] == metrics['APmask'] == pytest.approx(100)
    assert math.isnan(metrics['APlbox'])  # no object of more than 96 x 96 pixels
    assert list(evaluate(path, found, iou_types=dict(bbox='bb'))) == [
        f'{name}bb' for name in ('AP', 'AP50', 'AP75', 'APs', 'APm', 'APl')
    ]


def test_a_missed_object_and_a_shifted_box_cost_what_coco_says(ground_truth):
    """Class a: one of two found, shifted by 4 of 40: IoU 36/44 = 0.818, right up to 0.80.

    Recall 1/2 gives 51 of 101 points at 7 of 10 thresholds; class b: all; class c: no objects.
    """
    path, _ = ground_truth
    found = {1: [((14, 10, 54, 50), 0, 0.9), ((60, 60, 90, 90), 1, 0.9)]}
    metrics = evaluate(path, found)
    assert metrics['APbox'] == pytest.approx(100 * (0.7 * 51 / 101 + 1) / 2)
    assert metrics['AP50mask'] == pytest.approx(100 * (51 / 101 + 1) / 2)


def test_nothing_found_is_an_ap_of_zero_and_not_a_missing_number(ground_truth):
    metrics = evaluate(ground_truth[0], {})
    assert metrics['APbox'] == metrics['APmask'] == 0


def test_only_the_images_that_were_evaluated_count(ground_truth):
    found = {2: [((20, 20, 70, 70), 0, 0.8)]}
    assert evaluate(ground_truth[0], found, images=(2,))['APbox'] == pytest.approx(100)


def test_a_split_without_objects_has_no_ap(ground_truth):
    path, _ = ground_truth
    content = json.loads(path.read_text()) | dict(annotations=[])
    path.write_text(json.dumps(content))
    assert math.isnan(evaluate(path, {1: [((1, 1, 9, 9), 0, 0.5)]})['APbox'])


def test_masks_count_by_their_own_area_and_not_by_their_boxes(ground_truth):
    """A wrong mask of medium area whose box is large spoils the AP of medium objects by half.

    pycocotools takes the area from the box where a result has one, and a wrong detection outside
    the range of areas does not count.
    """
    path, _ = ground_truth
    metric = COCODetectionMetric(iou_types=dict(segm='mask'))
    metric.dataset_meta = dict(classes=('a', 'b', 'c'), ann_file=str(path))
    masks = np.zeros((2, 100, 100), np.uint8)
    masks[0, 10:50, 10:50] = 1  # right
    masks[1, 55:99, 10:50] = 1  # wrong
    result = dict(
        bboxes=np.array([[10.0, 10, 50, 50], [0, 0, 100, 100]]),
        labels=np.array([0, 0]),
        scores=np.array([0.5, 0.9]),
        masks=[coco_mask.encode(np.asfortranarray(mask)) for mask in masks],
    )
    content = json.loads(path.read_text())
    content['annotations'] = content['annotations'][:1]
    path.write_text(json.dumps(content))
    assert metric.compute_metrics([(1, result)])['APmmask'] == pytest.approx(50)
