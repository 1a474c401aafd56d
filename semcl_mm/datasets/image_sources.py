"""Where plain images come from: a folder, a list, a COCO file, or several of these together."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from semcl_mm.datasets.coco_annotations import locate_annotations
from semcl_mm.datasets.image_files import IMAGE_SUFFIXES, DataError, read_text
from semcl_mm.registry import DATASETS

__all__ = ['CocoImages', 'ImageFolder', 'ImageList', 'ImageSource', 'image_source']


class ImageSource:
    """A sequence of image paths.

    The paths are kept in one buffer: a list of a million Python strings would be copied into
    every worker, page by page, as their reference counts change.

    Args:
        root: folder that the names are relative to.
        names: paths in it, at least one.
        origin: what named them, for messages; default: the root.
        noun: what they are, for messages.

    Raises:
        DataError: there is no name, or the first names no file.
    """

    def __init__(
        self,
        root: str | Path,
        names: Sequence[str],
        origin: str | Path | None = None,
        noun: str = 'image',
    ) -> None:
        self.root = os.fspath(root)
        origin = self.root if origin is None else origin
        if not len(names):
            raise DataError(f'{origin}: names no {noun}')
        encoded = [os.fsencode(name) for name in names]
        self._ends = np.cumsum([len(name) for name in encoded])
        self._names = b''.join(encoded)
        if not os.path.isfile(self.path(0)):
            raise DataError(f'{origin}: its first {noun} {self.path(0)} does not exist')

    def __len__(self) -> int:
        return len(self._ends)

    def path(self, index: int) -> str:
        """Path of image ``index`` (0 <= index < len)."""
        start = self._ends[index - 1] if index else 0
        return os.path.join(self.root, os.fsdecode(self._names[start : self._ends[index]]))


@DATASETS.register_module()
class ImageFolder(ImageSource):
    """Every image below a folder, sorted by path: COCO's ``train2017``, ImageNet's class folders.

    Args:
        data_root: the folder; links to folders are followed.

    Raises:
        DataError: the folder does not exist or holds no image.
    """

    def __init__(self, data_root: str | Path) -> None:
        if not os.path.isdir(data_root):
            raise DataError(f'{data_root}: no such folder of images')
        super().__init__(data_root, sorted(_images_below(os.fspath(data_root), '')))


def _images_below(root: str, inside: str) -> Iterator[str]:
    with os.scandir(os.path.join(root, inside)) as entries:
        for entry in entries:
            name = os.path.join(inside, entry.name)
            if entry.name.lower().endswith(IMAGE_SUFFIXES):
                yield name
            elif entry.is_dir():
                yield from _images_below(root, name)


@DATASETS.register_module()
class ImageList(ImageSource):
    """The images that a text file names, one in a line (the lists of VOC, CamVid, ADE20K …).

    Args:
        ann_file: the list; empty lines are left out.
        data_root: folder of the images.
        suffix: added to every line, e.g. ``'.jpg'`` for VOC's lists of stems.
    """

    def __init__(self, ann_file: str | Path, data_root: str | Path, suffix: str = '') -> None:
        lines = read_text(ann_file).splitlines()
        names = [line.strip() + suffix for line in lines if line.strip()]
        super().__init__(data_root, names, ann_file)


@DATASETS.register_module()
class CocoImages(ImageSource):
    """The images of a COCO file (instances, captions or ``image_info_unlabeled2017.json``).

    Args:
        ann_file: COCO JSON; its ``images`` alone are kept.
        data_root: folder of the images.
    """

    def __init__(self, ann_file: str | Path, data_root: str | Path) -> None:
        entries, _ = locate_annotations(Path(ann_file))
        try:
            names = [image['file_name'] for image in entries['images']]
        except (KeyError, TypeError) as error:
            raise DataError(f'{ann_file}: an image has no file_name ({error!r})') from None
        super().__init__(data_root, names, ann_file)


class _Union(ImageSource):
    """Several sources, one after the other."""

    def __init__(self, sources: Sequence[ImageSource]) -> None:
        self.sources = tuple(sources)
        self._ends = np.cumsum([len(source) for source in self.sources])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def path(self, index: int) -> str:
        number = int(np.searchsorted(self._ends, index, side='right'))
        return self.sources[number].path(index - (self._ends[number - 1] if number else 0))


def image_source(images: ImageSource | Mapping | str | Path | Sequence) -> ImageSource:
    """A source from what a config says.

    Args:
        images: a source, its config, the path of a folder, or a list of these (their union, as
            COCO+ is of ``train2017`` and ``unlabeled2017``).

    Raises:
        ValueError: ``images`` is none of these.
    """
    if isinstance(images, ImageSource):
        return images
    if isinstance(images, str | Path):
        return ImageFolder(images)
    if isinstance(images, Mapping):
        return DATASETS.build(images)
    if isinstance(images, Sequence) and images:
        return _Union([image_source(part) for part in images])
    raise ValueError(f'images={images!r} must be a source, a folder or a list of these')
