"""PASCAL VOC's average precision, for all IoU thresholds at once."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

__all__ = ['Detections', 'voc_average_precision']


class Detections(NamedTuple):
    """What was found in an image, and what is there. Boxes are (x1, y1, x2, y2), zero-based."""

    boxes: np.ndarray  # (D, 4)
    scores: np.ndarray  # (D,)
    labels: np.ndarray  # (D,)
    true_boxes: np.ndarray  # (G, 4)
    true_labels: np.ndarray  # (G,)
    difficult_boxes: np.ndarray  # (I, 4)
    difficult_labels: np.ndarray  # (I,)


def voc_average_precision(
    images: Sequence[Detections],
    label: int,
    thresholds: np.ndarray,
    interpolation: str = '11points',
) -> np.ndarray:
    """AP of one class by the rules of the VOC devkit.

    A detection belongs to the object that it overlaps most, whoever else claims it; at a threshold
    the highest score of those who claim an object is right and the others are wrong. Claims of
    difficult objects do not count. A box covers its last row and column (the devkit's ``+ 1``).

    Args:
        images: All images of the split.
        label: The class.
        thresholds: (T,) IoU from which on a detection is right.
        interpolation: ``11points`` (VOC 2007) or ``area``.

    Returns:
        (T,) in [0, 1]; NaN where the class has no objects.
    """
    objects = sum(int((image.true_labels == label).sum()) for image in images)
    if not objects:
        return np.full(len(thresholds), np.nan)
    scores, overlaps, claims, counts = _claims(images, label)
    order = np.argsort(-scores, kind='stable')
    overlaps, claims, counts = overlaps[order], claims[order], counts[order]
    return np.array(
        [
            _precision(overlaps >= threshold, claims, counts, objects, interpolation)
            for threshold in thresholds
        ]
    )


def _claims(images: Sequence[Detections], label: int) -> tuple[np.ndarray, ...]:
    """Per detection (D,): score, IoU with the object it overlaps most, which, is that easy."""
    columns: list[tuple[np.ndarray, ...]] = []
    first = 0
    for image in images:
        chosen = image.labels == label
        easy = image.true_boxes[image.true_labels == label]
        truth = np.concatenate([easy, image.difficult_boxes[image.difficult_labels == label]])
        boxes = image.boxes[chosen]
        best, overlap = np.zeros(len(boxes), int), np.zeros(len(boxes))
        if len(truth) and len(boxes):
            iou = _iou(boxes, truth)
            best, overlap = iou.argmax(axis=1), iou.max(axis=1)
        columns.append((image.scores[chosen], overlap, first + best, best < len(easy)))
        first += len(truth)
    scores, overlaps, claims, counts = (
        np.concatenate(column) for column in zip(*columns, strict=True)
    )
    return scores, overlaps, claims, counts


def _precision(
    hit: np.ndarray, claims: np.ndarray, counts: np.ndarray, objects: int, interpolation: str
) -> float:
    """AP of detections (D,) in the order of their scores."""
    right = np.zeros(len(hit), bool)
    candidates = np.flatnonzero(hit & counts)
    right[candidates[np.unique(claims[candidates], return_index=True)[1]]] = True
    ignored = hit & ~counts
    true = np.cumsum(right)
    precision = true / np.maximum(np.cumsum(~ignored), 1)
    recall = true / objects
    # the best precision at this recall or a higher one
    best = np.maximum.accumulate(precision[::-1])[::-1]
    if interpolation == '11points':
        # as the reference implementations compute them: 0.3 is a hair above 0.3
        at = np.searchsorted(recall, np.arange(0, 1.1, 0.1))
        return float(np.append(best, 0.0)[at].mean())
    return float(np.sum(np.diff(recall, prepend=0.0) * best))


def _iou(boxes: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """(D, 4) and (G, 4) to (D, G)."""
    corner = np.minimum(boxes[:, None, 2:], truth[None, :, 2:])
    start = np.maximum(boxes[:, None, :2], truth[None, :, :2])
    both = np.clip(corner - start + 1, 0, None).prod(axis=2)
    sizes = [(b[:, 2:] - b[:, :2] + 1).prod(axis=1) for b in (boxes, truth)]
    return both / (sizes[0][:, None] + sizes[1][None, :] - both)
