"""Pairs of frames straight from video files, such as Kinetics. Needs the extra ``video`` (PyAV)."""

import importlib.util
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from mmengine.logging import print_log

from semcl_mm.datasets.frame_sources import FramePair, FrameSource
from semcl_mm.datasets.image_files import DataError
from semcl_mm.datasets.image_sources import ImageSource
from semcl_mm.datasets.list_files import listed_paths
from semcl_mm.registry import DATASETS

__all__ = ['VIDEO_SUFFIXES', 'VideoFiles', 'read_frames']

VIDEO_SUFFIXES = ('.mp4', '.avi', '.mkv', '.webm', '.mov', '.m4v')
IN_A_ROW = 10  # so many broken videos, one after the other, are no accident


@DATASETS.register_module()
class VideoFiles(FrameSource):
    """For each video a random pair of frames that are ``stride`` apart (CACL: 8).

    Args:
        data_root: folder of the videos.
        stride: frames from the first to the second, >= 0; 0 gives the same frame twice.
        ann_file: list of the videos relative to ``data_root``, one in a line, see
            :func:`~semcl_mm.datasets.list_files.listed_paths` (a class behind it, as in Kinetics'
            lists, is left aside); ``''``: every video below the folder.
        skip_broken: read another video, drawn anew, in place of one that is damaged or short, and
            log its name once; else it stops the run.

    Raises:
        DataError: there is no video.
        ValueError: the decoder is not installed; the message names the extra.
    """

    def __init__(
        self,
        data_root: str | Path,
        stride: int = 8,
        ann_file: str | Path = '',
        skip_broken: bool = False,
    ) -> None:
        if stride < 0:
            raise ValueError(f'stride={stride} must not be negative')
        require_decoder()
        self.stride, self.skip_broken = stride, skip_broken
        if ann_file:
            names = listed_paths(ann_file, data_root)
        else:
            names = sorted(_videos_below(os.fspath(data_root), ''))
        self.videos = ImageSource(data_root, names, ann_file or data_root, 'video')
        # Shared by the workers of a process, so that a name is logged once, not once by each.
        self._broken = torch.zeros(len(names) if skip_broken else 0, dtype=torch.bool)
        self._broken.share_memory_()

    def __len__(self) -> int:
        return len(self.videos)

    @property
    def broken(self) -> int:
        """Number of videos that were skipped so far, in all workers of this process."""
        return int(self._broken.sum())

    def read(self, index: int, rng: np.random.Generator) -> FramePair:
        """A pair of video ``index``, see :class:`FrameSource`."""
        for _ in range(IN_A_ROW):
            path = self.videos.path(index)
            try:
                first, frames = read_frames(path, self.stride, rng)
            except DataError as error:
                if not self.skip_broken:
                    raise
                self._note(index, error)
                broken, index = error, int(rng.integers(len(self)))
            else:
                return FramePair(frames, (f'{path}#{first}', f'{path}#{first + self.stride}'))
        raise DataError(f'{broken}; {IN_A_ROW} videos in a row could not be used')

    def _note(self, index: int, error: DataError) -> None:
        if not self._broken[index]:
            self._broken[index] = True
            text = f'{error}; it is skipped, as number {self.broken} of {len(self)} videos'
            print_log(text, 'current', logging.WARNING)


def require_decoder() -> None:
    """Raise ``ValueError``, with what to do, where PyAV is not installed."""
    if importlib.util.find_spec('av') is None:
        raise ValueError(
            "videos are decoded by PyAV, which is not installed: pip install 'semcl_mm[video]' "
            '(or extract the frames and use FrameFolders)'
        )


def read_frames(
    path: str | Path, stride: int, rng: np.random.Generator
) -> tuple[int, tuple[np.ndarray, np.ndarray]]:
    """Decode two frames of a video, the first of them drawn uniformly.

    The timestamps of all frames are read first, without decoding, so that the choice is exact for
    any frame rate; then only the stretch from the keyframe before the first is decoded.

    Args:
        path: the video.
        stride: frames from the first to the second.
        rng: source of randomness.

    Returns:
        Number of the first frame, and both as uint8 RGB arrays (H, W, 3).

    Raises:
        DataError: the video is damaged, too short or has no timestamps; the message names it.
    """
    import av

    try:
        with av.open(os.fspath(path)) as container:
            if not container.streams.video:
                raise DataError(f'{path}: no video in this file')
            stream = container.streams.video[0]
            stream.codec_context.thread_count = 1  # a loader has a worker per core
            times = _timestamps(container, stream, path)
            if len(times) <= stride:
                raise DataError(f'{path}: {len(times)} frames, of which no two are {stride} apart')
            start = int(rng.integers(len(times) - stride))
            wanted = times[start], times[start + stride]
            found = _decode(container, stream, wanted, seek=True)
            if len(found) < len(set(wanted)):  # the container's index led behind the keyframe
                found = _decode(container, stream, wanted, seek=False)
    except av.FFmpegError as error:
        raise DataError(f'{path}: cannot be decoded ({error.strerror or error})') from None
    missing = sorted(set(wanted) - set(found))
    if missing:
        raise DataError(f'{path}: its frames at {missing} (timestamps) cannot be decoded')
    return start, (found[wanted[0]], found[wanted[1]])


def _timestamps(container, stream, path: str | Path) -> list[int]:
    """Presentation times of all frames, in order."""
    packets = [packet for packet in container.demux(stream) if packet.size]
    if any(packet.pts is None for packet in packets):
        raise DataError(
            f'{path}: packets without timestamps; write them with '
            'ffmpeg -fflags +genpts -i FILE -c copy NEW.mp4'
        )
    return sorted(packet.pts for packet in packets if not packet.is_discard)


def _decode(container, stream, wanted: tuple[int, int], seek: bool) -> dict[int, np.ndarray]:
    """Frames at the wanted times, as far as they come."""
    container.seek(min(wanted) if seek else 0, stream=stream)
    found = {}
    for frame in container.decode(stream):
        if frame.pts in wanted:
            found[frame.pts] = frame.to_ndarray(format='rgb24')
        if frame.pts is not None and frame.pts >= max(wanted):
            break
    return found


def _videos_below(root: str, inside: str) -> Iterator[str]:
    path = os.path.join(root, inside)
    if not os.path.isdir(path):
        raise DataError(f'{path}: no such folder of videos')
    with os.scandir(path) as entries:
        for entry in entries:
            name = os.path.join(inside, entry.name)
            if entry.name.lower().endswith(VIDEO_SUFFIXES):
                yield name
            elif entry.is_dir():
                yield from _videos_below(root, name)
