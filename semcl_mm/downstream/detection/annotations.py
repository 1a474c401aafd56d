"""Boxes and masks of an image, checked against the image when they are read."""

from typing import Any

import numpy as np
from mmdet.datasets.transforms import LoadAnnotations
from pycocotools import mask as coco_mask

from semcl_mm.datasets.coco_annotations import annotation_mask
from semcl_mm.datasets.image_files import DataError
from semcl_mm.registry import TRANSFORMS

__all__ = ['CheckedDetAnnotations']


@TRANSFORMS.register_module()
class CheckedDetAnnotations(LoadAnnotations):
    """mmdet's ``LoadAnnotations`` that stops at masks which cannot belong to the image.

    Polygons, run lengths and compressed run lengths are understood. An object whose polygons have
    fewer than three corners has no mask: it becomes an ignored region, as in mmdet.

    Args:
        kwargs: See mmdet's ``LoadAnnotations``.
    """

    def transform(self, results: dict) -> dict:
        """Add boxes, labels and masks.

        Raises:
            DataError: An object has no mask though masks are wanted; a mask or the image is of
                another size than the annotation file says.
        """
        if self.with_mask:
            named = results['height'], results['width']
            if tuple(results['ori_shape']) != named:
                raise DataError(
                    f'{results["img_path"]}: the image has {results["ori_shape"][0]} rows and '
                    f'{results["ori_shape"][1]} columns, its annotations are for {named[0]} x '
                    f'{named[1]}'
                )
            for number, instance in enumerate(results.get('instances', [])):
                if 'mask' not in instance:
                    raise DataError(
                        f'{results["img_path"]}: object {number} has no segmentation; a detector '
                        'with a mask head cannot learn from boxes alone'
                    )
            self._image = results['img_path']
        return super().transform(results)

    def _poly2mask(self, mask_ann: Any, img_h: int, img_w: int) -> np.ndarray:
        code = annotation_mask([{'segmentation': mask_ann}], img_h, img_w, self._image)
        return coco_mask.decode(code)
