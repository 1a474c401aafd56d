"""Detection data sets that say what is wrong with their files and what they leave out."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from mmdet.datasets import CityscapesDataset, CocoDataset, VOCDataset
from mmengine.logging import print_log

from semcl_mm.datasets.image_files import DataError
from semcl_mm.datasets.toy.classes import TOY_CLASSES, TOY_PALETTE
from semcl_mm.downstream.detection.coco_files import CheckedCOCO
from semcl_mm.registry import DATASETS

__all__ = [
    'CheckedCityscapesDataset',
    'CheckedCocoDataset',
    'CheckedVOCDataset',
    'ToyDetDataset',
]

_SHOWN = 5  # names in a message


class _FilteringMixin:
    """One rule for every data set of what is trained on, and a line in the log about the rest.

    ``filter_cfg=dict(filter_empty_gt=True, min_size=32)`` leaves out, in training, images without
    an object to learn (crowd regions are none, nor are difficult objects, by default) and images
    whose shorter side is below ``min_size`` pixels. At test time every image counts.
    """

    def filter_data(self) -> list[dict]:
        """The images of the split that are used.

        Raises:
            DataError: None is left.
        """
        self._say_what_is_absent()
        if self.test_mode or not self.filter_cfg:
            return self.data_list
        kept = self.data_list
        if self.filter_cfg.get('filter_empty_gt', False):
            kept = [entry for entry in kept if _has_object(entry)]
            empty = len(self.data_list) - len(kept)
            self._say(
                f'{empty} of {len(self.data_list)} images hold no object to find and are left out '
                'of training',
                empty,
            )
        size = self.filter_cfg.get('min_size', 0)
        large = [entry for entry in kept if min(entry['width'], entry['height']) >= size]
        self._say(
            f'{len(kept) - len(large)} images are smaller than {size} pixels and are left '
            'out of training',
            len(kept) - len(large),
        )
        if not large:
            raise DataError(
                f'{self.ann_file}: not one of {len(self.data_list)} images can be trained on: none '
                f'holds an object of the {len(self.metainfo["classes"])} classes'
            )
        return large

    def _say_what_is_absent(self) -> None:
        present = {i['bbox_label'] for e in self.data_list for i in e['instances']}
        classes = self.metainfo['classes']
        absent = [name for label, name in enumerate(classes) if label not in present]
        self._say(
            f'{len(absent)} of {len(classes)} classes have no object in this split: '
            f'{_some(absent)}',
            len(absent),
        )

    def _say(self, message: str, count: int, level: int = logging.INFO) -> None:
        if count:
            print_log(f'{self.ann_file}: {message}', logger='current', level=level)


@DATASETS.register_module()
class CheckedCocoDataset(_FilteringMixin, CocoDataset):
    """mmdet's ``CocoDataset`` on a checked file, with label i for the i-th class name, always.

    Boxes are cut at the border of their image. A box of which less than a pixel is inside the
    image cannot be trained on: it is left out, and the log says how many were.

    Args:
        kwargs: See mmdet's ``CocoDataset``.
    """

    COCOAPI = CheckedCOCO

    def load_data_list(self) -> list[dict]:
        """One entry per image of the file. See :func:`read_coco` for what it raises."""
        self._unusable: list[int] = []
        self._metainfo['ann_file'] = self.ann_file  # where the metric finds the ground truth
        entries = super().load_data_list()
        self._say(
            f'{len(self._unusable)} boxes have less than a pixel inside their image and are '
            f'left out: annotations {_some(self._unusable)}',
            len(self._unusable),
            logging.WARNING,
        )
        return entries

    def parse_data_info(self, raw_data_info: dict) -> dict:
        """An image and its objects."""
        image, annotations = raw_data_info['raw_img_info'], []
        for annotation in raw_data_info['raw_ann_info']:
            if annotation['category_id'] not in self.cat2label:
                continue  # the config asks for some of the file's classes
            x, y, width, height = annotation['bbox']
            left, top = max(x, 0), max(y, 0)
            right, bottom = min(x + width, image['width']), min(y + height, image['height'])
            if right - left < 1 or bottom - top < 1:
                self._unusable.append(annotation['id'])
                continue
            box = [left, top, right - left, bottom - top]
            area = max(annotation['area'], 1e-6)  # of an object that a tool drew without an area
            annotations.append({**annotation, 'bbox': box, 'area': area})
        return super().parse_data_info({'raw_img_info': image, 'raw_ann_info': annotations})


@DATASETS.register_module()
class CheckedCityscapesDataset(CheckedCocoDataset):
    """The eight classes with instances of Cityscapes, from COCO files."""

    METAINFO = CityscapesDataset.METAINFO


@DATASETS.register_module()
class ToyDetDataset(CheckedCocoDataset):
    """The toy world (:mod:`semcl_mm.datasets.toy`): eight classes of shapes, no background."""

    METAINFO = dict(
        classes=tuple(TOY_CLASSES[1:]), palette=[tuple(colour) for colour in TOY_PALETTE[1:]]
    )


@DATASETS.register_module()
class CheckedVOCDataset(_FilteringMixin, VOCDataset):
    """mmdet's ``VOCDataset`` that names the XML file which cannot be used.

    In a test, difficult objects count neither as misses nor as false alarms.

    Args:
        learn_difficult: Whether they are objects in training, as in Detectron2 (they do not hurt,
            its authors say). Otherwise they are no objects, and their places are background.
        kwargs: See mmdet's ``VOCDataset``.
    """

    def __init__(self, learn_difficult: bool = False, **kwargs: Any) -> None:
        self.learn_difficult = learn_difficult
        super().__init__(**kwargs)

    def load_data_list(self) -> list[dict]:
        """One entry per image of the list.

        Raises:
            DataError: The list is empty; an XML file is missing, damaged or has an object that
                is no VOC class or has no proper box.
        """
        entries = super().load_data_list()
        if not entries:
            raise DataError(f'{self.ann_file}: the list of images is empty')
        return entries

    def parse_data_info(self, img_info: dict) -> dict:
        """An image and its objects."""
        path = Path(img_info['xml_path'])
        try:
            root = ElementTree.parse(path).getroot()
        except FileNotFoundError:
            raise DataError(f'{path}: does not exist, but {self.ann_file} lists it') from None
        except ElementTree.ParseError as error:
            raise DataError(f'{path}: empty or damaged XML ({error})') from None
        for number, found in enumerate(root.findall('object')):
            name = found.findtext('name')
            if name not in self.METAINFO['classes']:
                raise DataError(f'{path}: object {number} is a {name!r}, which is no VOC class')
            _check_box(found, f'{path}: object {number} ({name})')
        return super().parse_data_info(img_info)

    def _parse_instance_info(
        self, raw_ann_info: ElementTree.ElementTree, minus_one: bool = True
    ) -> list[dict]:
        if self.learn_difficult and not self.test_mode:
            for flag in raw_ann_info.findall('object/difficult'):
                flag.text = '0'
        return super()._parse_instance_info(raw_ann_info, minus_one)


def _check_box(found: ElementTree.Element, where: str) -> None:
    corners = [found.findtext(f'bndbox/{key}') for key in ('xmin', 'ymin', 'xmax', 'ymax')]
    try:
        left, top, right, bottom = (float(corner) for corner in corners)
    except (TypeError, ValueError):
        raise DataError(f'{where}: the box {corners} is not four numbers') from None
    if not (left < right and top < bottom):
        raise DataError(f'{where}: the box {corners} is empty (xmin, ymin, xmax, ymax)')


def _has_object(entry: dict) -> bool:
    return any(not instance['ignore_flag'] for instance in entry['instances'])


def _some(values: Sequence[Any]) -> str:
    more = f' and {len(values) - _SHOWN} more' if len(values) > _SHOWN else ''
    return ', '.join(map(str, values[:_SHOWN])) + more
