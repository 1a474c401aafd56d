"""A contact sheet of a toy world: image, classes, instances and depth, side by side."""

import os
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from semcl_mm.datasets.toy.files import DEPTH_SCALE

_GAP = 6


def write_preview(
    root: str | os.PathLike, path: str | os.PathLike, rows: int = 5, columns: int = 2
) -> None:
    """Draw scenes of the training split to ``path``.

    Args:
        root: Folder of a toy world.
        path: The PNG to write.
        rows: Scenes below each other.
        columns: Scenes side by side.
    """
    root, path = Path(root), Path(path)
    titles = (root / 'ImageSets/Segmentation/train.txt').read_text().split()[: rows * columns]
    strips = [_strip(root, title) for title in titles]
    lines = [np.hstack(strips[i : i + columns]) for i in range(0, len(strips), columns)]
    width = max(line.shape[1] for line in lines)
    lines = [cv2.copyMakeBorder(x, 0, 0, 0, width - x.shape[1], 0, value=(255,) * 3) for x in lines]
    sheet = Image.fromarray(np.vstack(lines))
    temporary = path.with_name(f'.{path.name}.partial')
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.quantize(256, dither=Image.Dither.NONE).save(temporary, 'PNG', optimize=True)
    os.replace(temporary, path)


def _strip(root: Path, title: str) -> np.ndarray:
    image = np.asarray(Image.open(root / 'JPEGImages' / f'{title}.jpg'))
    maps = [
        np.asarray(Image.open(root / folder / f'{title}.png').convert('RGB'))
        for folder in ('SegmentationClass', 'SegmentationObject')
    ]
    depth = cv2.imread(str(root / 'depth' / f'{title}.png'), cv2.IMREAD_UNCHANGED) / DEPTH_SCALE
    near = np.clip((1 / depth - 1 / 10) / (1 / 1.5 - 1 / 10), 0, 1)
    colours = cv2.applyColorMap((near * 255).astype(np.uint8), cv2.COLORMAP_MAGMA)[..., ::-1]
    pad = ((_GAP // 2, _GAP // 2), (_GAP // 2, _GAP // 2), (0, 0))
    tiles = [np.pad(x, pad, constant_values=255) for x in (image, *maps, colours)]
    margin = np.full((tiles[0].shape[0], _GAP, 3), 255, np.uint8)
    return np.hstack([margin, *tiles, margin])
