"""One scene or one clip to disk. These functions run in the worker processes."""

import io
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from pycocotools import mask as coco_mask

from semcl_mm.datasets.toy.classes import VOID, voc_palette
from semcl_mm.datasets.toy.parameters import ToyParameters
from semcl_mm.datasets.toy.render import Frame, expose, render
from semcl_mm.datasets.toy.scene import sample_scene

DEPTH_SCALE = 1000  # metres = value / 1000
JPEG_QUALITY = 92
CLIP_TITLE = 'clip_{:03d}'
SCENE_TITLE = 'toy_{:05d}'


@dataclass(frozen=True)
class SceneRecord:
    """What the lists and annotation files need to know of a written scene.

    Args:
        index: Number of the scene.
        title: Its file name without suffix.
        annotations: COCO annotations without ids, in the order of the instance numbers.
        pixels: (256,) int64, pixels per value of the class map.
    """

    index: int
    title: str
    annotations: list[dict]
    pixels: np.ndarray


@dataclass(frozen=True)
class ClipRecord:
    """What the clip list needs to know: the clip's folder and the category of each instance."""

    index: int
    folder: str
    categories: dict[int, int]


def write_scene(root: Path, parameters: ToyParameters, index: int) -> SceneRecord:
    """Draw scene ``index`` and write its image, label maps and depth under ``root``."""
    frame = _scene_with_objects(parameters, index)
    image = expose(frame.image, parameters.sensor_rng(0, index))
    category, instance = frame.category, frame.instance.copy()
    category[frame.contour] = instance[frame.contour] = VOID
    title = SCENE_TITLE.format(index)
    _write_jpeg(root / 'JPEGImages' / f'{title}.jpg', image)
    _write_palette_png(root / 'SegmentationClass' / f'{title}.png', category)
    _write_palette_png(root / 'SegmentationObject' / f'{title}.png', instance)
    _write_depth(root / 'depth' / f'{title}.png', frame.depth)
    pixels = np.bincount(category.ravel(), minlength=256)
    return SceneRecord(index, title, _coco_annotations(frame), pixels)


def write_clip(root: Path, parameters: ToyParameters, index: int) -> ClipRecord:
    """Draw clip ``index`` and write its frames and instance masks under ``root``."""
    scene = sample_scene(parameters.clip_rng(index), parameters.size, moving=True)
    folder = f'{parameters.split_of_clip(index)}/{CLIP_TITLE.format(index)}'
    for time in range(parameters.frames):
        # The scene was laid out for the middle of the clip, where it is best in view.
        frame = render(scene.at(time - (parameters.frames - 1) / 2), parameters.size)
        # The renderer numbers by distance, which changes; the scene's order does not.
        table = np.array([0, *(k + 1 for k in frame.positions)], np.uint8)
        image = expose(frame.image, parameters.sensor_rng(1, index, time))
        _write_jpeg(root / 'clips' / folder / f'{time:05d}.jpg', image)
        mask_path = root / 'clips_masks' / folder / f'{time:05d}.png'
        _write_palette_png(mask_path, table[frame.instance])
    categories = {k: o.category for k, o in enumerate(scene.objects, 1)}
    return ClipRecord(index, folder, categories)


def _scene_with_objects(parameters: ToyParameters, index: int) -> Frame:
    """The first of the scene's draws in which an object is in sight; nearly always the first."""
    attempt = 0
    while True:
        scene = sample_scene(parameters.scene_rng(index, attempt), parameters.size)
        frame = render(scene, parameters.size, drop_hidden=True)
        if frame.objects:
            return frame
        attempt += 1


def _coco_annotations(frame: Frame) -> list[dict]:
    numbers = np.arange(1, len(frame.objects) + 1, dtype=np.uint8)
    masks = (frame.instance[..., None] == numbers).astype(np.uint8)
    encoded = coco_mask.encode(np.asfortranarray(masks))
    return [
        {
            'category_id': source.category,
            'segmentation': {'size': rle['size'], 'counts': rle['counts'].decode('ascii')},
            'area': int(coco_mask.area(rle)),
            'bbox': [float(v) for v in coco_mask.toBbox(rle)],
            'iscrowd': 0,
        }
        for source, rle in zip(frame.objects, encoded, strict=True)
    ]


def _write_jpeg(path: Path, image: np.ndarray) -> None:
    options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    path.write_bytes(cv2.imencode('.jpg', image[..., ::-1], options)[1].tobytes())


def _write_depth(path: Path, depth: np.ndarray) -> None:
    values = np.round(depth * DEPTH_SCALE).astype(np.uint16)
    path.write_bytes(cv2.imencode('.png', values)[1].tobytes())


def _write_palette_png(path: Path, values: np.ndarray) -> None:
    picture = Image.fromarray(values, mode='L')
    picture.putpalette(voc_palette().tobytes())
    stream = io.BytesIO()
    picture.save(stream, 'PNG')
    path.write_bytes(stream.getvalue())
