"""Where pairs of frames come from: folders of numbered frames, a list of pairs, or still images.

Videos are in :mod:`semcl_mm.datasets.video_frames`.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from semcl_mm.datasets.image_files import IMAGE_SUFFIXES, DataError
from semcl_mm.datasets.image_sources import ImageSource, image_source
from semcl_mm.datasets.list_files import listed_lines, listed_paths
from semcl_mm.datasets.photo_files import read_rgb
from semcl_mm.registry import DATASETS

__all__ = ['FrameFolders', 'FrameList', 'FramePair', 'FrameSource', 'StillFrames', 'frame_source']

_LAST_NUMBER = re.compile(r'(\d+)\D*$')
_WHOLE_NUMBER = re.compile(r'-?[0-9]+')


class FramePair(NamedTuple):
    """Two frames of a video.

    Attributes:
        frames: uint8 RGB arrays (H, W, 3), the earlier one first.
        names: what the frames are called in messages and metainfo.
    """

    frames: tuple[np.ndarray, np.ndarray]
    names: tuple[str, str]


class FrameSource:
    """A sequence of videos, or of pairs, that gives a pair of frames for each."""

    def __len__(self) -> int:
        raise NotImplementedError

    def read(self, index: int, rng: np.random.Generator) -> FramePair:
        """A pair of item ``index``; what there is to choose is drawn from ``rng``.

        Raises:
            DataError: a file is damaged; the message names it.
        """
        raise NotImplementedError


@DATASETS.register_module()
class FrameFolders(FrameSource):
    """Clips as folders of frames, whose file names end in the frame's number.

    A pair is two frames whose numbers differ by ``stride``. For each clip one of its pairs is
    drawn, as CACL does for each video.

    Args:
        data_root: folder below which the clips are.
        stride: frames from the first to the second, >= 0; 0 gives the same frame twice.
        ann_file: list of the clips, a folder relative to ``data_root`` in a line, see
            :func:`~semcl_mm.datasets.list_files.listed_paths`; ``''``: every folder that holds
            images.
        all_pairs: an item is a pair, not a clip: an epoch sees every pair once.
        leave_out_short: leave out clips without a pair, instead of raising an error.

    Raises:
        DataError: there is no clip, a clip holds no pair, or frames without or with equal numbers.
    """

    def __init__(
        self,
        data_root: str | Path,
        stride: int = 8,
        ann_file: str | Path = '',
        all_pairs: bool = False,
        leave_out_short: bool = False,
    ) -> None:
        self.root, self.stride, self.all_pairs = os.fspath(data_root), _checked(stride), all_pairs
        folders = (
            listed_paths(ann_file, self.root) if ann_file else sorted(_folders_below(self.root, ''))
        )
        if not folders:
            raise DataError(f'{ann_file or data_root}: names no folder of frames')
        pairs = np.array([len(self._pairs(folder)) for folder in folders])
        if not leave_out_short and not pairs.all():
            short = [folder for folder, number in zip(folders, pairs, strict=True) if not number]
            raise DataError(
                f'{len(short)} of {len(folders)} clips hold no two frames {stride} apart, such as '
                f'{os.path.join(self.root, short[0])}; leave_out_short=True trains without them'
            )
        if not pairs.any():
            raise DataError(f'{data_root}: no clip holds two frames {stride} apart')
        # Bytes in one array: a list of strings would be copied into every worker.
        self._folders = np.array([os.fsencode(folder) for folder in folders])[pairs > 0]
        self._ends = np.cumsum(pairs[pairs > 0])

    def __len__(self) -> int:
        return int(self._ends[-1]) if self.all_pairs else len(self._folders)

    def read(self, index: int, rng: np.random.Generator) -> FramePair:
        """A pair of clip ``index``, or pair ``index``, see :class:`FrameSource`."""
        clip = int(np.searchsorted(self._ends, index, side='right')) if self.all_pairs else index
        pairs = self._pairs(os.fsdecode(self._folders[clip]))
        if not pairs:
            raise DataError(f'{os.fsdecode(self._folders[clip])}: its frames have gone')
        if self.all_pairs:
            number = index - (int(self._ends[clip - 1]) if clip else 0)
        else:
            number = int(rng.integers(len(pairs)))
        return _read_pair(*pairs[number])

    def _pairs(self, folder: str) -> list[tuple[str, str]]:
        """Paths of all pairs of a clip, in the order of their first frame."""
        frames: dict[int, str] = {}
        path = os.path.join(self.root, folder)
        try:
            names = sorted(os.listdir(path))
        except OSError as error:
            raise DataError(f'{path}: cannot be read ({error.strerror or error})') from None
        for name in names:
            if not name.lower().endswith(IMAGE_SUFFIXES):
                continue
            number = _LAST_NUMBER.search(os.path.splitext(name)[0])
            if number is None:
                raise DataError(f'{os.path.join(path, name)}: no frame number in the name')
            twin = frames.setdefault(int(number[1]), name)
            if twin != name:
                raise DataError(f'{path}: {twin} and {name} are both frame {int(number[1])}')
        starts = sorted(number for number in frames if number + self.stride in frames)
        return [
            (os.path.join(path, frames[n]), os.path.join(path, frames[n + self.stride]))
            for n in starts
        ]


@DATASETS.register_module()
class FrameList(FrameSource):
    """Pairs that a text file names: ``first second gap`` in a line, ``#`` starts a comment.

    Args:
        ann_file: the list; the gap is in frames of the video. Where paths hold blanks, tabs
            separate the three.
        data_root: folder that the images are relative to.
        gap: keep the pairs of this gap alone; -1 keeps all, and lines may then lack the gap.

    Raises:
        DataError: a line has another form, or no pair is left.
    """

    def __init__(self, ann_file: str | Path, data_root: str | Path, gap: int = -1) -> None:
        self.root = os.fspath(data_root)
        if gap < -1:
            raise ValueError(f'gap={gap} must be a number of frames, or -1 for any')
        pairs = []
        for number, line in listed_lines(ann_file):
            words = [word.strip() for word in line.split('\t')] if '\t' in line else line.split()
            if len(words) == 2 and gap < 0:
                words.append('-1')
            if len(words) != 3 or not _WHOLE_NUMBER.fullmatch(words[2]):
                raise DataError(
                    f'{ann_file}:{number}: {line!r} is not "first second gap", separated by '
                    'blanks, or by tabs where paths hold blanks'
                )
            if gap in (-1, int(words[2])):
                pairs.append(words[:2])
        if not pairs:
            raise DataError(f'{ann_file}: names no pair of frames with a gap of {gap} (-1: any)')
        self._pairs = np.array([[os.fsencode(name) for name in pair] for pair in pairs])

    def __len__(self) -> int:
        return len(self._pairs)

    def read(self, index: int, rng: np.random.Generator) -> FramePair:
        """Pair ``index``, see :class:`FrameSource`; nothing is drawn."""
        return _read_pair(*(os.path.join(self.root, os.fsdecode(p)) for p in self._pairs[index]))


@DATASETS.register_module()
class StillFrames(FrameSource):
    """Images as videos that stand still: both frames are the image. Decoded once.

    Args:
        images: a source of images, see :func:`~semcl_mm.datasets.image_sources.image_source`.
    """

    def __init__(self, images: ImageSource | Mapping | str | Path | Sequence) -> None:
        self.images = image_source(images)

    def __len__(self) -> int:
        return len(self.images)

    def read(self, index: int, rng: np.random.Generator) -> FramePair:
        """Image ``index`` twice, see :class:`FrameSource`; nothing is drawn."""
        path = self.images.path(index)
        return _read_pair(path, path)


def frame_source(frames: FrameSource | Mapping) -> FrameSource:
    """A source from what a config says.

    Raises:
        ValueError: ``frames`` is neither a source nor its config.
    """
    if isinstance(frames, FrameSource):
        return frames
    if isinstance(frames, Mapping) or hasattr(frames, '_cfg_dict'):
        return DATASETS.build(frames)
    raise ValueError(f'frames={frames!r} must be a source of frames or its config')


def _checked(stride: int) -> int:
    if stride < 0:
        raise ValueError(f'stride={stride} must not be negative')
    return stride


def _read_pair(first: str, second: str) -> FramePair:
    image = read_rgb(first)
    other = image if second == first else read_rgb(second)
    if image.shape != other.shape:
        raise DataError(f'{first} and {second} have different sizes: no pair of frames')
    return FramePair((image, other), (first, second))


def _folders_below(root: str, inside: str) -> Iterator[str]:
    """Folders that hold images themselves."""
    path = os.path.join(root, inside)
    if not os.path.isdir(path):
        raise DataError(f'{path}: no such folder of clips')
    holds_images = False
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.name.lower().endswith(IMAGE_SUFFIXES):
                holds_images = True
            elif entry.is_dir():
                yield from _folders_below(root, os.path.join(inside, entry.name))
    if holds_images:
        yield inside
