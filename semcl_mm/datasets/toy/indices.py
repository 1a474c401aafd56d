"""The text and JSON files that tie a toy world together."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
import PIL

from semcl_mm.datasets.toy.camera import Intrinsics
from semcl_mm.datasets.toy.classes import (
    OBJECT_CLASSES,
    TOY_CLASSES,
    TOY_PALETTE,
    VOID,
)
from semcl_mm.datasets.toy.files import DEPTH_SCALE, ClipRecord, SceneRecord
from semcl_mm.datasets.toy.parameters import GENERATOR_VERSION, ToyParameters

META_NAME = 'toy.json'
SPLITS = ('train', 'val')


def write_indices(
    root: Path, parameters: ToyParameters, scenes: list[SceneRecord], clips: list[ClipRecord]
) -> None:
    """Write the split lists, the COCO files, the camera and the clip list under ``root``."""
    camera = asdict(Intrinsics.of_size(parameters.size))
    _write_json(root / 'camera.json', {**camera, 'depth_scale': DEPTH_SCALE})
    _write_lines(root / 'class_names.txt', list(TOY_CLASSES))
    camera_columns = ' '.join(f'{camera[k]:g}' for k in ('fx', 'fy', 'cx', 'cy'))
    for split in SPLITS:
        chosen = [s for s in scenes if parameters.split_of_scene(s.index) == split]
        titles = [s.title for s in chosen]
        _write_lines(root / 'ImageSets' / 'Segmentation' / f'{split}.txt', titles)
        depth_lines = [
            f'JPEGImages/{t}.jpg depth/{t}.png {DEPTH_SCALE} {camera_columns}' for t in titles
        ]
        _write_lines(root / 'ImageSets' / 'Depth' / f'{split}.txt', depth_lines)
        coco = _coco(parameters, chosen)
        _write_json(root / 'annotations' / f'instances_{split}.json', coco, indent=None)
        folders = [c.folder for c in clips if parameters.split_of_clip(c.index) == split]
        clip_lines = [f'{folder} {parameters.frames}' for folder in folders]
        _write_lines(root / 'clips' / f'{split}.txt', clip_lines)
    _write_lines(root / 'ImageSets' / 'Segmentation' / 'trainval.txt', [s.title for s in scenes])
    instances = {c.folder: {str(k): TOY_CLASSES[v] for k, v in c.categories.items()} for c in clips}
    _write_json(root / 'clips' / 'instances.json', instances)


def write_meta(root: Path, parameters: ToyParameters, scenes: list[SceneRecord]) -> dict:
    """Write ``toy.json``, the last file: parameters, classes, statistics and a digest of the rest.

    Returns:
        Its content.
    """
    pixels = np.sum([s.pixels for s in scenes], axis=0)
    counts = {name: int(pixels[k]) for k, name in enumerate(TOY_CLASSES)}
    counts['void'] = int(pixels[VOID])
    meta = {
        'format': 'semcl_mm toy world',
        'version': GENERATOR_VERSION,
        'parameters': parameters.as_json(),
        'classes': list(TOY_CLASSES),
        'palette': [list(c) for c in TOY_PALETTE],
        'void': VOID,
        'depth': {'unit': 'metre', 'scale': DEPTH_SCALE, 'invalid': 0},
        'statistics': {
            'scenes': len(scenes),
            'clips': int(parameters.clips),
            'frames': int(parameters.clips * parameters.frames),
            'instances': sum(len(s.annotations) for s in scenes),
            'pixel_share': {k: round(v / int(pixels.sum()), 5) for k, v in counts.items()},
        },
        'libraries': {
            'numpy': np.__version__,
            'opencv': cv2.__version__,
            'pillow': PIL.__version__,
        },
        **_inventory(root),
    }
    _write_json(root / META_NAME, meta)
    return meta


def _inventory(root: Path) -> dict:
    """Number, size and SHA-256 of the files under ``root``, taken before ``toy.json`` is there."""
    sha256, size = hashlib.sha256(), 0
    files = sorted(p for p in root.rglob('*') if p.is_file())
    for path in files:
        content = path.read_bytes()
        size += len(content)
        sha256.update(f'{path.relative_to(root).as_posix()}\0'.encode())
        sha256.update(hashlib.sha256(content).digest())
    return {'files': len(files), 'bytes': size, 'sha256': sha256.hexdigest()}


def _coco(parameters: ToyParameters, scenes: list[SceneRecord]) -> dict:
    """COCO's instance format; image ids are the scene's number plus one."""
    width, height = (int(v) for v in parameters.size)
    images, annotations = [], []
    for scene in scenes:
        image_id = scene.index + 1
        name = f'{scene.title}.jpg'
        images.append({'id': image_id, 'file_name': name, 'width': width, 'height': height})
        for annotation in scene.annotations:
            number = len(annotations) + 1
            annotations.append({'id': number, 'image_id': image_id, **annotation})
    categories = [
        {'id': k, 'name': c.name, 'supercategory': c.shape} for k, c in enumerate(OBJECT_CLASSES, 1)
    ]
    info = {'description': 'semcl_mm toy world', 'version': str(GENERATOR_VERSION)}
    return {'info': info, 'images': images, 'annotations': annotations, 'categories': categories}


def _write_lines(path: Path, lines: list[str]) -> None:
    path.write_text(''.join(f'{line}\n' for line in lines))


def _write_json(path: Path, content: dict, indent: int | None = 1) -> None:
    path.write_text(json.dumps(content, indent=indent) + '\n')
