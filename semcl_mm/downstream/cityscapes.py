"""Cityscapes beyond one labelled split: train + val as one data set, and files for the server."""

import os.path as osp
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from mmseg.datasets import CityscapesDataset
from PIL import Image

from semcl_mm.registry import DATASETS, METRICS

# the benchmark's label of each of the 19 classes
LABEL_IDS = np.array(
    [7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33], dtype=np.uint8
)


@DATASETS.register_module()
class CityscapesSplits(CityscapesDataset):
    """Several splits as one data set, in which every image has a number of its own.

    A region memory knows images by their number, and those of a ``ConcatDataset`` collide.

    Args:
        splits: Folders below each path of ``data_prefix``, for example ``('train', 'val')``.
        kwargs: See mmseg's ``CityscapesDataset``.
    """

    def __init__(self, splits: Sequence[str], **kwargs: Any) -> None:
        self.splits = tuple(splits)
        super().__init__(**kwargs)

    def load_data_list(self) -> list[dict]:
        """Lists the images of all splits, split after split."""
        whole, images = self.data_prefix, []
        for split in self.splits:
            self.data_prefix = {key: osp.join(path, split) for key, path in whole.items()}
            images += super().load_data_list()
        self.data_prefix = whole
        return images


@METRICS.register_module()
class CityscapesSubmission(BaseMetric):
    """Writes predictions as the benchmark's server takes them; there is no score without labels.

    Args:
        output_dir: Folder for one grey PNG per image, named as the image, with label ids; None:
            ``submission`` in the work dir.
        kwargs: See MMEngine's ``BaseMetric``.
    """

    def __init__(self, output_dir: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.output_dir = None if output_dir is None else Path(output_dir)

    def set_work_dir(self, work_dir: str) -> None:
        """Where the run is; our runner calls it."""
        if self.output_dir is None:
            self.output_dir = Path(work_dir) / 'submission'

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Writes the predictions of a batch."""
        self.output_dir.mkdir(parents=True, exist_ok=True)
        for sample in data_samples:
            classes = sample['pred_sem_seg']['data'].squeeze(0).cpu().numpy()
            target = self.output_dir / f'{Path(sample["img_path"]).stem}.png'
            Image.fromarray(LABEL_IDS[classes]).save(target)
            self.results.append(target.name)

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Returns how many images were written."""
        return {'images_written': len(results)}
