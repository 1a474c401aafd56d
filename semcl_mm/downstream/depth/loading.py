"""Depth maps that are checked when they are read, in metres whatever the file holds."""

import json

import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.logging import print_log

from semcl_mm.datasets.image_files import DataError, decode_label, read_bytes
from semcl_mm.registry import TRANSFORMS

__all__ = ['CheckedDepth', 'CropKITTI', 'CropNYUBorder', 'disparity_to_metres', 'read_stereo']


def disparity_to_metres(disparity: np.ndarray, baseline: float, focal: float) -> np.ndarray:
    """Depth from the disparity files of Cityscapes.

    A file value p > 0 stands for (p - 1) / 256 pixels of disparity, 0 for no measurement; depth is
    baseline times focal length over disparity.

    Args:
        disparity: (H, W) file values.
        baseline: Between the cameras, metres.
        focal: Focal length, pixels.

    Returns:
        (H, W) float32 metres; 0 without a measurement, and where the disparity is zero (infinitely
        far).
    """
    pixels = (disparity.astype(np.float32) - 1) / 256
    depth = np.zeros(disparity.shape, np.float32)
    np.divide(baseline * focal, pixels, out=depth, where=pixels > 0)
    return depth


def read_stereo(path: str) -> tuple[float, float]:
    """Baseline (metres) and focal length (pixels) of a camera file of Cityscapes.

    Raises:
        DataError: for a missing or broken file, or one without positive values for both.
    """
    try:
        camera = json.loads(read_bytes(path))
        baseline, focal = float(camera['extrinsic']['baseline']), float(camera['intrinsic']['fx'])
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataError(f'{path}: no JSON ({error})') from None
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f'{path}: no extrinsic.baseline and intrinsic.fx ({error!r})') from None
    if not (baseline > 0 and focal > 0):
        raise DataError(f'{path}: baseline {baseline} and fx {focal} must be positive')
    return baseline, focal


@TRANSFORMS.register_module()
class CheckedDepth(BaseTransform):
    """Reads ``depth_map_path`` into ``gt_depth_map`` (H, W), float32 metres, 0 = unknown.

    ``depth_scale`` of the results says how many file values are a metre; with ``camera_path`` the
    file holds Cityscapes' disparity instead. To be used after the image was read; in a test
    pipeline after the resizing, so that a prediction is judged at the size of the original.

    A map in which no pixel is known is no error: the loss and the metric count it. It is named in
    the log, once per process.

    Args:
        require_valid: Make it an error.

    Raises:
        DataError: at load time, for a file that is missing, cut, of 8 bits or in colour, or of
            another size than its image.
    """

    def __init__(self, require_valid: bool = False) -> None:
        super().__init__()
        self.require_valid = require_valid
        self._named: set[str] = set()

    def transform(self, results: dict) -> dict:
        """Reads, checks and converts one map."""
        path = results['depth_map_path']
        values = decode_label(read_bytes(path), path)
        if values.dtype not in (np.uint16, np.int32):
            kind = 'in colour' if values.dtype == np.uint32 else 'of 8 bits'
            raise DataError(f'{path}: the file is {kind}, a depth map has 16 bits; a preview?')
        if values.shape != tuple(results['ori_shape'][:2]):
            height, width = results['ori_shape'][:2]
            raise DataError(
                f'{path}: the depth map is {values.shape[1]} x {values.shape[0]} pixels, its image '
                f'{results["img_path"]} is {width} x {height}'
            )
        if values.dtype == np.int32 and values.min() < 0:
            raise DataError(f'{path}: negative depth ({values.min()})')
        if 'camera_path' in results:
            depth = disparity_to_metres(values, *read_stereo(results['camera_path']))
        else:
            depth = (values / np.float64(results['depth_scale'])).astype(np.float32)
        if not depth.any():
            self._no_valid_pixel(path)
        results['gt_depth_map'] = depth
        results.setdefault('seg_fields', []).append('gt_depth_map')
        return results

    def _no_valid_pixel(self, path: str) -> None:
        if self.require_valid:
            raise DataError(f'{path}: no pixel of the depth map is known')
        if path not in self._named:
            self._named.add(path)
            print_log(f'{path}: no pixel of the depth map is known', logger='current')

    def __repr__(self) -> str:
        return f'{type(self).__name__}(require_valid={self.require_valid})'


class _Crop(BaseTransform):
    """Cuts the same region out of image and maps; to be used after both were read."""

    def region(self, height: int, width: int) -> tuple[slice, slice]:
        """Rows and columns that stay."""
        raise NotImplementedError

    def transform(self, results: dict) -> dict:
        """Cuts."""
        rows, columns = self.region(*results['img'].shape[:2])
        for key in ('img', *results.get('seg_fields', [])):
            results[key] = np.ascontiguousarray(results[key][rows, columns])
        results['img_shape'] = results['img'].shape[:2]
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}()'


@TRANSFORMS.register_module()
class CropNYUBorder(_Crop):
    """Leaves the white border of NYUv2's 480 x 640 images out: rows 45-471, columns 43-607.

    Raises:
        DataError: at load time, for an image of another size.
    """

    def region(self, height: int, width: int) -> tuple[slice, slice]:
        """See the class."""
        if (height, width) != (480, 640):
            raise DataError(f'an image of NYUv2 has 640 x 480 pixels, this has {width} x {height}')
        return slice(45, 472), slice(43, 608)


@TRANSFORMS.register_module()
class CropKITTI(_Crop):
    """Keeps the 352 x 1216 pixels at the bottom, in the middle: KITTI's benchmark crop.

    Raises:
        DataError: at load time, for a smaller image.
    """

    def region(self, height: int, width: int) -> tuple[slice, slice]:
        """See the class."""
        if height < 352 or width < 1216:
            raise DataError(f'{width} x {height} pixels are less than the 1216 x 352 to be kept')
        left = (width - 1216) // 2
        return slice(height - 352, height), slice(left, left + 1216)
