"""Detections beside the truth: boxes, masks, class names and scores are those of the objects."""

import json

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.structures import InstanceData
from PIL import Image

from semcl_mm.visualization import detections
from semcl_mm.visualization.detections import draw_detections


@pytest.fixture
def config(repository, toy_world, tmp_path):
    cfg = Config.fromfile(repository / 'configs/detection/mask-rcnn_r18_toy.py')
    cfg.val_dataloader.dataset.data_root = str(toy_world)
    cfg.dump(tmp_path / 'toy.py')
    return tmp_path / 'toy.py'


@pytest.fixture
def oracle(monkeypatch):
    """A model that finds what is annotated with score 0.9, each image's first object with 0.4."""

    def predict(model, samples):
        results = [sample['data_samples'].clone() for sample in samples]
        for result in results:
            truth = result.gt_instances
            scores = torch.full((len(truth),), 0.9)
            scores[0] = 0.4
            result.pred_instances = InstanceData(
                bboxes=truth.bboxes.tensor,
                labels=truth.labels,
                scores=scores,
                masks=torch.from_numpy(truth.masks.to_ndarray().astype(bool)),
            )
        return results

    monkeypatch.setattr(detections, 'load_model', lambda *_: None)
    monkeypatch.setattr(detections, 'predict', predict)


def panels(figure, rows, columns):
    return np.array(figure.axes).reshape(rows, columns)


def boxes(axis):
    return [(*patch.get_xy(), patch.get_width(), patch.get_height()) for patch in axis.patches]


def pixels(axis):
    return np.asarray(axis.images[0].get_array())


def test_a_panel_has_each_object_that_scores_enough_with_its_box_mask_class_and_score(
    config, oracle, toy_world
):
    axes = panels(draw_detections(config, ['a.pth'], ['mine'], num=2), 2, 2)
    assert [axis.get_title() for axis in axes[0]] == ['ground truth', 'mine (score from 0.5)']
    content = json.loads((toy_world / 'annotations/instances_val.json').read_text())
    names = {entry['id']: entry['name'] for entry in content['categories']}
    entry = content['images'][0]
    truth = [object_ for object_ in content['annotations'] if object_['image_id'] == entry['id']]
    assert len(truth) > 1
    first, found = axes[0]
    assert np.allclose(boxes(first), [object_['bbox'] for object_ in truth])
    assert np.allclose(boxes(found), boxes(first)[1:])
    classes = [names[object_['category_id']] for object_ in truth]
    assert [text.get_text() for text in first.texts] == classes
    assert [text.get_text() for text in found.texts] == [f'{name} 0.90' for name in classes[1:]]
    with Image.open(toy_world / 'JPEGImages' / entry['file_name']) as image:
        assert pixels(found).shape == (image.height, image.width, 3)


def test_masks_are_painted_over_their_objects_alone(config, oracle):
    every = panels(draw_detections(config, ['a.pth'], num=1, score=0.3), 1, 2)[0]
    assert np.array_equal(pixels(every[0]), pixels(every[1]))
    truth, found = panels(draw_detections(config, ['a.pth'], num=1), 1, 2)[0]
    y, x = np.nonzero((pixels(truth) != pixels(found)).any(axis=2))
    left, top, width, height = boxes(truth)[0]  # the object that scores 0.4
    assert len(x) > 10
    assert left - 1 <= x.min() <= x.max() <= left + width
    assert top - 1 <= y.min() <= y.max() <= top + height


def test_a_panel_without_a_detection_says_so(config, oracle):
    figure = draw_detections(config, ['a.pth'], num=1, score=0.95)
    assert [text.get_text() for text in figure.axes[1].texts] == ['nothing found']
