"""A contact sheet of a toy world: scenes with their annotations, and one clip."""

import os
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from semcl_mm.datasets.toy.classes import OBJECT_CLASSES, TOY_PALETTE
from semcl_mm.datasets.toy.files import DEPTH_SCALE

_GAP = 8
_TILE_WIDTH = 192
_HEADINGS = ('image', 'classes', 'instances', 'depth: near is bright')
_INK = (40, 40, 40)


def write_preview(root: str | os.PathLike, path: str | os.PathLike, rows: int = 4) -> None:
    """Draw scenes of the training split, and one of its clips if there is any, to ``path``.

    Args:
        root: Folder of a toy world.
        path: The PNG to write.
        rows: Number of scenes.
    """
    root, path = Path(root), Path(path)
    titles = _richest(root, rows)
    strips = [_line(_HEADINGS), *(_strip(_scene_tiles(root, title)) for title in titles)]
    clips = (root / 'clips/train.txt').read_text().split()
    if clips:
        folder, count = clips[0], int(clips[1])
        chosen = np.linspace(0, count - 1, len(_HEADINGS)).round().astype(int)
        frames = [_image(root / 'clips' / folder / f'{k:05d}.jpg') for k in chosen]
        strips += [_line([f'a clip, frame {k}' for k in chosen]), _strip(frames)]
    strips.append(_legend(strips[0].shape[1]))
    sheet = Image.fromarray(np.pad(np.vstack(strips), ((0, _GAP), (0, 0), (0, 0)), 'edge'))
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f'.{path.name}.partial')
    sheet.save(temporary, 'PNG', optimize=True)
    os.replace(temporary, path)


def _richest(root: Path, count: int) -> list[str]:
    """Of the first 100 training scenes the ones with the most classes, in their order."""
    titles = (root / 'ImageSets/Segmentation/train.txt').read_text().split()[:100]
    maps = (np.asarray(Image.open(root / f'SegmentationClass/{t}.png')) for t in titles)
    variety = {t: len(np.unique(m)) for t, m in zip(titles, maps, strict=True)}
    return sorted(sorted(titles, key=variety.__getitem__, reverse=True)[:count])


def _image(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert('RGB'))


def _scene_tiles(root: Path, title: str) -> list[np.ndarray]:
    folders = ('SegmentationClass', 'SegmentationObject')
    maps = [_image(root / folder / f'{title}.png') for folder in folders]
    depth = cv2.imread(str(root / 'depth' / f'{title}.png'), cv2.IMREAD_UNCHANGED) / DEPTH_SCALE
    near = np.clip((1 / depth - 0.08) / (0.75 - 0.08), 0, 1)
    colours = cv2.applyColorMap((near * 255).astype(np.uint8), cv2.COLORMAP_MAGMA)[..., ::-1]
    return [_image(root / 'JPEGImages' / f'{title}.jpg'), *maps, colours]


def _strip(tiles: list[np.ndarray]) -> np.ndarray:
    """Tiles side by side at the sheet's width; labels stay crisp."""
    height = round(_TILE_WIDTH * tiles[0].shape[0] / tiles[0].shape[1])
    scaled = [cv2.resize(t, (_TILE_WIDTH, height), interpolation=cv2.INTER_NEAREST) for t in tiles]
    scaled[0] = cv2.resize(tiles[0], (_TILE_WIDTH, height), interpolation=cv2.INTER_CUBIC)
    pad = ((0, _GAP), (_GAP // 2, _GAP // 2), (0, 0))
    return np.hstack([np.pad(t, pad, constant_values=255) for t in scaled])


def _line(texts: list[str] | tuple[str, ...]) -> np.ndarray:
    """One text above each tile."""
    line = Image.new('RGB', (len(texts) * (_TILE_WIDTH + _GAP), 24), 'white')
    for column, text in enumerate(texts):
        position = (column * (_TILE_WIDTH + _GAP) + _GAP, 4)
        ImageDraw.Draw(line).text(position, text, _INK, ImageFont.load_default(14))
    return np.asarray(line)


def _legend(width: int) -> np.ndarray:
    """The colours of the classes, in two lines."""
    legend = Image.new('RGB', (width, 48), 'white')
    draw, font = ImageDraw.Draw(legend), ImageFont.load_default(14)
    for number, kind in enumerate(OBJECT_CLASSES):
        x, y = (number % 4) * (width // 4) + _GAP, (number // 4) * 24 + 4
        draw.rectangle((x, y + 1, x + 14, y + 15), tuple(TOY_PALETTE[number + 1]))
        draw.text((x + 22, y), kind.name, _INK, font)
    return np.asarray(legend)
