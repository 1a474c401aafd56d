"""Semantic segmentation: what mmseg lacks, and labels that are checked when they are read."""

from typing import Any

import numpy as np
from mmcv.transforms import LoadImageFromFile, Resize
from mmseg.datasets import BaseSegDataset
from mmseg.datasets.transforms import LoadAnnotations

from semcl_mm.datasets.photo_files import read_bgr
from semcl_mm.datasets.toy.classes import TOY_CLASSES, TOY_PALETTE
from semcl_mm.registry import DATASETS, TRANSFORMS

IGNORE = 255


@TRANSFORMS.register_module()
class CheckedImage(LoadImageFromFile):
    """mmcv's image loader that stops at a damaged file and reads pixels as they are stored.

    mmcv's own turns a cut JPEG into a grey area, and rotates an image by its EXIF note, but not
    the label map beside it.
    """

    def transform(self, results: dict) -> dict:
        """Reads ``results['img_path']`` into ``img`` (H, W, 3), BGR uint8.

        Raises:
            ValueError: the file is missing, truncated or no image; the message names it.
        """
        image = read_bgr(results['img_path'])
        results.update(img=image, img_shape=image.shape[:2], ori_shape=image.shape[:2])
        return results


@TRANSFORMS.register_module()
class CheckedSegAnnotations(LoadAnnotations):
    """mmseg's label loader that stops at a label map which cannot belong to the image.

    A label outside the classes would otherwise be a device-side assertion (GPU) or an index error
    deep in the loss (CPU) that names no file; a label map of another size would be cropped at the
    wrong place without a word.

    Args:
        num_classes: Labels are 0 … num_classes - 1, or 255 (ignored), after the data set's own
            mapping (``reduce_zero_label``, ``label_map``).
        **kwargs: See mmseg's ``LoadAnnotations``.

    Raises:
        ValueError: at load time, naming the file and what is wrong with it.
    """

    def __init__(self, num_classes: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_classes = num_classes

    def _load_seg_map(self, results: dict) -> None:
        path = results['seg_map_path']
        try:
            super()._load_seg_map(results)
        except (OSError, SyntaxError) as error:  # Pillow reports a broken PNG as either
            raise ValueError(f'{path}: cannot be read as a label map ({error})') from error
        labels = results['gt_seg_map']
        if labels.shape != tuple(results['ori_shape']):
            raise ValueError(
                f'{path}: the label map is {labels.shape[1]} x {labels.shape[0]} pixels, its image '
                f'{results["img_path"]} is {results["ori_shape"][1]} x {results["ori_shape"][0]}'
            )
        outside = (labels >= self.num_classes) & (labels != IGNORE)
        if outside.any():
            values = np.unique(labels[outside]).tolist()
            raise ValueError(
                f'{path}: label values {values} are outside 0..{self.num_classes - 1} and not '
                f'{IGNORE}: is num_classes, reduce_zero_label or the label folder wrong?'
            )


@TRANSFORMS.register_module()
class RandomScale(Resize):
    """Resizes image and labels by a random factor of the image's own size, keeping its shape.

    mmcv's ``RandomResize`` draws a factor of one size that all images have.

    Args:
        ratio_range: Least and largest factor, uniformly drawn.

    Raises:
        ValueError: unless 0 < least <= largest.
    """

    def __init__(self, ratio_range: tuple[float, float]) -> None:
        super().__init__(scale_factor=1.0, keep_ratio=True)
        if not 0 < ratio_range[0] <= ratio_range[1]:
            raise ValueError(f'ratio_range must be 0 < least <= largest, got {ratio_range}')
        self.ratio_range = tuple(ratio_range)

    def transform(self, results: dict) -> dict:
        """Resizes ``img`` and, where present, ``gt_seg_map``."""
        factor = float(np.random.uniform(*self.ratio_range))  # noqa: NPY002 - as all of mmcv
        self.scale_factor = (factor, factor)
        return super().transform(results)


@DATASETS.register_module()
class CamVidDataset(BaseSegDataset):
    """CamVid with the 11 classes of the SegNet release; label 11 (unlabelled) is ignored."""

    METAINFO = dict(
        classes=(
            'Sky',
            'Building',
            'Pole',
            'Road',
            'Pavement',
            'Tree',
            'SignSymbol',
            'Fence',
            'Car',
            'Pedestrian',
            'Bicyclist',
        ),
        palette=[
            [128, 128, 128],
            [128, 0, 0],
            [192, 192, 128],
            [128, 64, 128],
            [60, 40, 222],
            [128, 128, 0],
            [192, 128, 128],
            [64, 64, 128],
            [64, 0, 128],
            [64, 64, 0],
            [0, 128, 192],
        ],
    )

    def __init__(self, img_suffix: str = '.jpg', seg_map_suffix: str = '.png', **kwargs: Any):
        super().__init__(img_suffix=img_suffix, seg_map_suffix=seg_map_suffix, **kwargs)

    @classmethod
    def get_label_map(cls, new_classes: Any = None) -> dict[int, int]:
        """Maps "unlabelled" to the ignored label, besides what the base class maps."""
        return {**(super().get_label_map(new_classes) or {}), 11: IGNORE}


@DATASETS.register_module()
class ToySegDataset(BaseSegDataset):
    """The toy world (:mod:`semcl_mm.datasets.toy`): background and eight classes, VOC layout."""

    METAINFO = dict(classes=TOY_CLASSES, palette=[list(colour) for colour in TOY_PALETTE])

    def __init__(self, img_suffix: str = '.jpg', seg_map_suffix: str = '.png', **kwargs: Any):
        super().__init__(img_suffix=img_suffix, seg_map_suffix=seg_map_suffix, **kwargs)
