"""Average precision as COCO and PASCAL VOC define it, in percent and unrounded.

mmdet's metrics round to three decimals of a fraction, one digit less than papers print, and have no
result at all where nothing was detected.
"""

import contextlib
import io
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from mmdet.structures.mask import encode_mask_results
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from pycocotools.cocoeval import COCOeval

from semcl_mm.downstream.detection.coco_files import CheckedCOCO
from semcl_mm.downstream.detection.voc_precision import Detections, voc_average_precision
from semcl_mm.registry import METRICS

__all__ = ['COCODetectionMetric', 'VOCDetectionMetric']

_STATISTICS = ('AP', 'AP50', 'AP75', 'APs', 'APm', 'APl')


@METRICS.register_module()
class COCODetectionMetric(BaseMetric):
    """COCO's AP: over IoU 0.50:0.95, at 0.50, at 0.75, of small, medium and large objects.

    pycocotools does the matching. The mean is over the classes that have objects in the evaluated
    images; the log says how many. A number that nothing defines (no large objects, say) is NaN.
    Where nothing was detected, AP is 0.

    The ground truth is the file of the data set that is evaluated.

    Args:
        iou_types: What overlaps, and the end of its metrics' names: ``bbox='box'`` gives
            ``APbox``, ``AP50box``, … of boxes, ``segm='mask'`` ``APmask``, … of masks. Papers
            have names of their own (``APbb``, ``APmk``).
        classwise: Log the AP of each class.
        kwargs: See MMEngine's ``BaseMetric``.
    """

    def __init__(
        self, iou_types: Mapping[str, str] | None = None, classwise: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.iou_types = dict(bbox='box', segm='mask') if iou_types is None else dict(iou_types)
        self.classwise = classwise
        if not self.iou_types or set(self.iou_types) - {'bbox', 'segm'}:
            raise ValueError(f"iou_types {self.iou_types}: choose out of 'bbox' and 'segm'")

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep the detections of some images, masks as run lengths."""
        for sample in data_samples:
            found = sample['pred_instances']
            result = {key: found[key].cpu().numpy() for key in ('bboxes', 'scores', 'labels')}
            if 'segm' in self.iou_types:
                masks = found['masks']
                if isinstance(masks, torch.Tensor):
                    masks = encode_mask_results(masks.detach().cpu().numpy())
                result['masks'] = masks
            self.results.append((sample['img_id'], result))

    def compute_metrics(self, results: list[tuple[int, dict]]) -> dict[str, float]:
        """AP in percent, by name."""
        truth = CheckedCOCO(self.dataset_meta['ann_file'])
        categories = truth.get_cat_ids(cat_names=self.dataset_meta['classes'])
        images = sorted(image for image, _ in results)
        metrics = {}
        for kind, ending in self.iou_types.items():
            found = truth.predictions(_result_form(results, categories, kind))
            evaluation = COCOeval(truth, found, kind)
            evaluation.params.imgIds, evaluation.params.catIds = images, categories
            summary = io.StringIO()
            with contextlib.redirect_stdout(summary):
                evaluation.evaluate()
                evaluation.accumulate()
                evaluation.summarize()
            print_log(f'{kind}\n{summary.getvalue()}', logger='current')
            # pycocotools writes -1 for what is not defined
            values = np.where(evaluation.stats[:6] < 0, np.nan, 100 * evaluation.stats[:6])
            names = (f'{name}{ending}' for name in _STATISTICS)
            metrics |= dict(zip(names, values.tolist(), strict=True))
            self._say_classes(evaluation, kind)
        return metrics

    def _say_classes(self, evaluation: COCOeval, kind: str) -> None:
        precision = evaluation.eval['precision'][:, :, :, 0, -1]  # (IoU, recall, class)
        ap = np.where((precision < 0).all(axis=(0, 1)), np.nan, 100 * precision.mean(axis=(0, 1)))
        _say_present(f'{kind} AP', self.dataset_meta['classes'], ap, self.classwise)


@METRICS.register_module()
class VOCDetectionMetric(BaseMetric):
    """PASCAL VOC's AP50 and AP75, and their mean over IoU 0.50:0.95 (``AP``), in percent.

    The mean is over the classes that have objects in the split; the log says how many.

    Args:
        interpolation: ``11points`` (VOC 2007, what papers report on its test set) or ``area``
            (VOC 2010 and later).
        classwise: Log the AP50 of each class.
        kwargs: See MMEngine's ``BaseMetric``.
    """

    def __init__(
        self, interpolation: str = '11points', classwise: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if interpolation not in ('11points', 'area'):
            raise ValueError(f"interpolation {interpolation!r}: choose '11points' or 'area'")
        self.interpolation, self.classwise = interpolation, classwise

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep detections and ground truth of some images."""
        for sample in data_samples:
            found, truth = sample['pred_instances'], sample['gt_instances']
            ignored = sample['ignored_instances']
            parts = [found['bboxes'], found['scores'], found['labels']]
            parts += [truth['bboxes'], truth['labels'], ignored['bboxes'], ignored['labels']]
            self.results.append(Detections(*(torch.as_tensor(p).cpu().numpy() for p in parts)))

    def compute_metrics(self, results: list[Detections]) -> dict[str, float]:
        """AP in percent, by name."""
        thresholds = np.linspace(0.5, 0.95, 10)
        classes = self.dataset_meta['classes']
        ap = 100 * np.stack(  # (class, IoU)
            [
                voc_average_precision(results, label, thresholds, self.interpolation)
                for label in range(len(classes))
            ]
        )
        _say_present('VOC AP50', classes, ap[:, 0], self.classwise)
        present = ~np.isnan(ap[:, 0])
        mean = ap[present].mean(axis=0) if present.any() else np.full(10, np.nan)
        return {'AP': float(mean.mean()), 'AP50': float(mean[0]), 'AP75': float(mean[5])}


def _result_form(
    results: list[tuple[int, dict]], categories: Sequence[int], kind: str
) -> list[dict]:
    """Detections as a COCO result file has them; of boxes or of masks, whose areas differ."""
    detections = []
    for image, found in results:
        corners = found['bboxes'].astype(float)
        boxes = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
        for number, (label, score) in enumerate(zip(found['labels'], found['scores'], strict=True)):
            entry = {
                'image_id': image,
                'category_id': categories[label],
                'score': float(score),
            }
            if kind == 'bbox':
                entry['bbox'] = boxes[number].tolist()
            else:
                entry['segmentation'] = found['masks'][number]
            detections.append(entry)
    return detections


def _say_present(what: str, classes: Sequence[str], values: np.ndarray, classwise: bool) -> None:
    present = ~np.isnan(values)
    level = logging.INFO if present.all() else logging.WARNING
    message = f'{what}: mean over the {present.sum()} of {len(classes)} classes with objects'
    if classwise:
        message += ''.join(
            f'\n  {name:20s} {value:6.2f}' for name, value in zip(classes, values, strict=True)
        )
    print_log(message, logger='current', level=level)
