"""Evaluation of depth maps, with the caps and crops of the usual protocols."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from semcl_mm.downstream.depth.errors import (
    CROPS,
    error_sums,
    errors_of_sums,
    evaluation_region,
)
from semcl_mm.losses.arguments import check_choice
from semcl_mm.registry import METRICS

__all__ = ['DepthMetric']


@METRICS.register_module()
class DepthMetric(BaseMetric):
    """AbsRel, SqRel, RMSE, RMSElog, log10, SILog and the accuracies d1, d2, d3.

    mmseg's metric of this name cannot choose its measures (it raises), knows NYUv2's crop only, and
    gives NaN for a data set with one image without ground truth. The measures themselves are
    defined in :func:`~semcl_mm.downstream.depth.errors.errors_of_sums`.

    A pixel counts where its true depth lies strictly between the caps, within the crop. The
    prediction is clamped to the caps first, as in Eigen et al.'s protocol. An image in which no
    pixel counts has no error: it is left out of the mean, counted, and said in the log;
    ``images_without_truth`` is among the metrics.

    Args:
        min_depth: Lower cap in metres, positive.
        max_depth: Upper cap in metres: 10 for NYUv2, 80 for KITTI and Cityscapes.
        crop: ``'none'``, ``'garg'``, ``'eigen'`` (KITTI) or ``'nyu'``; see
            :func:`~semcl_mm.downstream.depth.errors.evaluation_region`.
        average: ``'image'``: each measure is computed per image, then averaged over images (all
            papers compared with here). ``'pixel'``: over the pixels of all images pooled.
        collect_device: See MMEngine.
        prefix: See MMEngine.

    Raises:
        ValueError: For caps or names that make no sense; while evaluating, for a prediction of
            another size than its ground truth or with values that are not finite, and if not one
            image has a pixel that counts.
    """

    def __init__(
        self,
        min_depth: float = 1e-3,
        max_depth: float = 10.0,
        crop: str = 'none',
        average: str = 'image',
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        if not 0 < min_depth < max_depth:
            raise ValueError(
                f'caps must be 0 < min_depth < max_depth, got {min_depth} and {max_depth}'
            )
        check_choice('crop', crop, CROPS)
        check_choice('average', average, ('image', 'pixel'))
        self.min_depth, self.max_depth = min_depth, max_depth
        self.crop, self.average = crop, average

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Sums up the errors of each image.

        Args:
            data_batch: Not looked at.
            data_samples: Dicts with ``pred_depth_map`` and ``gt_depth_map``, both (1, H, W) in
                metres, and ``img_path``.
        """
        for sample in data_samples:
            name = sample.get('img_path', 'an image')
            prediction = sample['pred_depth_map']['data'].detach().squeeze(0)
            target = sample['gt_depth_map']['data'].to(prediction.device).squeeze(0)
            if prediction.shape != target.shape:
                raise ValueError(
                    f'{name}: the prediction has {tuple(prediction.shape)} pixels, its ground '
                    f'truth {tuple(target.shape)}: load the depth map after the resizing'
                )
            top, bottom, left, right = evaluation_region(self.crop, *target.shape)
            prediction, target = prediction[top:bottom, left:right], target[top:bottom, left:right]
            counts = (target > self.min_depth) & (target < self.max_depth)
            prediction = prediction[counts]
            if not prediction.isfinite().all():
                raise ValueError(
                    f'{name}: predicted depths are not finite; has the training diverged?'
                )
            prediction = prediction.clamp(self.min_depth, self.max_depth)
            self.results.append(error_sums(prediction, target[counts]))

    def compute_metrics(self, results: list[np.ndarray]) -> dict[str, float]:
        """Averages over images or pixels.

        Args:
            results: Sums of each image, of all processes.

        Returns:
            The measures, ``images`` and ``images_without_truth``.
        """
        sums = np.stack(results)
        known = sums[sums[:, 0] > 0]
        missing = len(sums) - len(known)
        where = f'between {self.min_depth} and {self.max_depth} m (crop {self.crop!r})'
        if not len(known):
            raise ValueError(f'none of {len(sums)} images has a true depth {where}')
        if missing:
            print_log(
                f'{missing} of {len(sums)} images have no true depth {where}: not in the means',
                logger='current',
            )
        pooled = known.sum(axis=0) if self.average == 'pixel' else known
        errors = {key: float(np.mean(value)) for key, value in errors_of_sums(pooled).items()}
        return {**errors, 'images': float(len(known)), 'images_without_truth': float(missing)}
