"""Depth data sets, each in the layouts in which people keep it."""

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmengine.dataset import BaseDataset
from mmengine.logging import print_log

from semcl_mm.datasets.image_files import DataError, read_text
from semcl_mm.registry import DATASETS

__all__ = [
    'CityscapesDepthDataset',
    'DepthListDataset',
    'KITTIDepthDataset',
    'NYUv2DepthDataset',
]

_NO_DEPTH = 'None'


class _DepthDataset(BaseDataset):
    """What the data sets share: a list of images, each with its depth map and how to read that.

    An item of the list has ``img_path``, ``depth_map_path`` and ``depth_scale`` (file values per
    metre) or ``camera_path`` (disparity), for :class:`~semcl_mm.downstream.depth.CheckedDepth`,
    and ``intrinsics`` or ``focal`` in pixels where the list names them.
    """

    METAINFO = dict(task='depth')

    def __init__(self, data_prefix: dict | None = None, **kwargs: Any) -> None:
        super().__init__(data_prefix=data_prefix or self.DATA_PREFIX, **kwargs)

    DATA_PREFIX: dict = dict(img_path='', depth_map_path='')

    def records(self) -> Iterator[dict]:
        """The items, in the order of the list or of the file names."""
        raise NotImplementedError

    def load_data_list(self) -> list[dict]:
        """The items.

        Raises:
            DataError: if there is none.
        """
        found = [dict(record, seg_fields=[]) for record in self.records()]
        if not found:
            place = self.ann_file or self.data_prefix['img_path']
            raise DataError(f'{place}: no image with a depth map is listed there')
        return found

    def _join(self, prefix: str, name: str) -> str:
        return os.path.join(self.data_prefix[prefix], name.lstrip('/'))  # lists may begin with /

    def _lines(self, counts: tuple[int, ...], form: str) -> Iterator[list[str]]:
        """Fields of each line of the list; empty lines and comments (#) do not count."""
        for number, line in enumerate(read_text(self.ann_file).splitlines(), 1):
            fields = line.split()
            if not fields or fields[0].startswith('#'):
                continue
            if len(fields) not in counts:
                raise DataError(f'{self.ann_file}:{number}: {line!r} is not "{form}"')
            try:
                numbers = [float(field) for field in fields[2:]]
            except ValueError:
                raise DataError(f'{self.ann_file}:{number}: {line!r} is not "{form}"') from None
            if not all(0 < value < math.inf for value in numbers[:1]):
                raise DataError(
                    f'{self.ann_file}:{number}: {numbers[0]} must be positive and finite'
                )
            yield fields[:2] + numbers

    def _focal_lines(self) -> Iterator[dict]:
        """Lines ``image depth [focal]``; a depth of ``None`` is an image without ground truth."""
        left_out = 0
        for image, depth, *focal in self._lines((2, 3), 'image depth focal'):
            if depth == _NO_DEPTH:
                left_out += 1
                continue
            record = dict(
                img_path=self._join('img_path', image),
                depth_map_path=self._join('depth_map_path', depth),
                depth_scale=self.DEPTH_SCALE,
            )
            yield dict(record, focal=focal[0]) if focal else record
        if left_out:
            print_log(
                f'{self.ann_file}: {left_out} images without ground truth are left out',
                logger='current',
            )

    def _pairs(self, image_ending: str, depth_prefix: str, depth_ending: str) -> Iterator[str]:
        """Common stems of two folders, sorted; both folders must hold the same ones."""
        stems = _stems(self.data_prefix['img_path'], image_ending)
        known = _stems(self.data_prefix[depth_prefix], depth_ending)
        missing = sorted(stems - known)
        if missing:
            raise DataError(
                f'{self.data_prefix[depth_prefix]}: {len(missing)} of {len(stems)} images have no '
                f'file here, the first is {missing[0]}{depth_ending}'
            )
        yield from sorted(stems)


@DATASETS.register_module()
class DepthListDataset(_DepthDataset):
    """Any RGB-D images: a list with ``image depth scale fx fy cx cy`` per line.

    ``scale`` is how many file values are a metre; the four intrinsics (pixels) may be missing. The
    toy world and the depth sample come in this form.

    Args:
        ann_file: The list, relative to ``data_root``; its paths are relative to ``data_prefix``.
        kwargs: See MMEngine's ``BaseDataset``.
    """

    def records(self) -> Iterator[dict]:
        """See the class."""
        for image, depth, scale, *camera in self._lines((3, 7), 'image depth scale fx fy cx cy'):
            record = dict(
                img_path=self._join('img_path', image),
                depth_map_path=self._join('depth_map_path', depth),
                depth_scale=scale,
            )
            yield dict(record, intrinsics=tuple(camera)) if camera else record


@DATASETS.register_module()
class NYUv2DepthDataset(_DepthDataset):
    """NYUv2 (16-bit millimetres), in either of its two common layouts.

    - With ``ann_file``: scene folders and a list ``image depth focal`` per line (BTS, the depth
      toolbox, DINOv3): ``kitchen_0028b/rgb_00045.jpg kitchen_0028b/sync_depth_00045.png 518.86``.
    - Without: two parallel folders (mmseg), ``data_prefix=dict(img_path='images/train',
      depth_map_path='annotations/train')``, whose files differ in their suffix alone.

    Args:
        img_suffix: Of the second layout.
        depth_suffix: Of the second layout.
        kwargs: See MMEngine's ``BaseDataset``.
    """

    DEPTH_SCALE = 1000.0

    def __init__(self, img_suffix: str = '.jpg', depth_suffix: str = '.png', **kwargs: Any) -> None:
        self.img_suffix, self.depth_suffix = img_suffix, depth_suffix
        super().__init__(**kwargs)

    def records(self) -> Iterator[dict]:
        """See the class."""
        if self.ann_file:
            yield from self._focal_lines()
            return
        for stem in self._pairs(self.img_suffix, 'depth_map_path', self.depth_suffix):
            yield dict(
                img_path=self._join('img_path', stem + self.img_suffix),
                depth_map_path=self._join('depth_map_path', stem + self.depth_suffix),
                depth_scale=self.DEPTH_SCALE,
            )


@DATASETS.register_module()
class KITTIDepthDataset(_DepthDataset):
    """KITTI (16 bit, metres x 256) with a split file like Eigen's: ``image depth focal`` per line.

    ``input/2011_09_26/…_sync/image_02/data/*.png`` and ``gt_depth/…_sync/proj_depth/groundtruth/
    image_02/*.png``. Ground truth is sparse (about 16 % of the pixels); lines whose depth is
    ``None`` (45 of the 697 of Eigen's test list) have no ground truth, are left out and counted.
    """

    DEPTH_SCALE = 256.0
    DATA_PREFIX = dict(img_path='input', depth_map_path='gt_depth')

    def records(self) -> Iterator[dict]:
        """See the class."""
        if not self.ann_file:
            raise DataError('KITTIDepthDataset needs ann_file, the list of a split')
        yield from self._focal_lines()


@DATASETS.register_module()
class CityscapesDepthDataset(_DepthDataset):
    """Cityscapes with its stereo disparity: ``leftImg8bit``, ``disparity`` and ``camera``.

    Depth is baseline times focal length over disparity, with the two of each image's camera file.
    """

    DATA_PREFIX = dict(
        img_path='leftImg8bit/train', depth_map_path='disparity/train', camera_path='camera/train'
    )
    ENDINGS = dict(
        img_path='_leftImg8bit.png', depth_map_path='_disparity.png', camera_path='_camera.json'
    )

    def records(self) -> Iterator[dict]:
        """See the class."""
        endings = self.ENDINGS
        list(self._pairs(endings['img_path'], 'camera_path', endings['camera_path']))
        for stem in self._pairs(endings['img_path'], 'depth_map_path', endings['depth_map_path']):
            yield {key: self._join(key, stem + ending) for key, ending in endings.items()}


def _stems(folder: str, ending: str) -> set[str]:
    """Paths below a folder that have an ending, without it, with forward slashes."""
    root = Path(folder)
    if not root.is_dir():
        raise DataError(f'{folder}: no such folder')
    return {
        path.relative_to(root).as_posix()[: -len(ending)]
        for path in root.rglob(f'*{ending}')
        if path.is_file()
    }
