"""Frames out of video files; six bars, black or white, tell a frame's number."""

import importlib.util

import numpy as np
import pytest

from semcl_mm.datasets import VideoFiles
from semcl_mm.datasets.image_files import DataError

FRAMES, BARS, WIDTH = 40, 6, 16


@pytest.fixture(scope='module')
def videos(tmp_path_factory):
    """Two videos: mpeg4, and h264 with frames that are stored out of order."""
    av = pytest.importorskip('av')
    folder = tmp_path_factory.mktemp('videos')
    for name, codec in (('a.avi', 'mpeg4'), ('deep/b.mp4', 'libx264')):
        if codec not in av.codecs_available:
            continue
        (folder / name).parent.mkdir(exist_ok=True)
        with av.open(str(folder / name), 'w') as container:
            stream = container.add_stream(codec, rate=25)
            stream.width, stream.height, stream.pix_fmt = BARS * WIDTH, 48, 'yuv420p'
            stream.gop_size = 12
            stream.max_b_frames = 2 if codec == 'libx264' else 0
            for n in range(FRAMES):
                frame = av.VideoFrame.from_ndarray(picture(n), format='rgb24')
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
    return folder


def picture(number):
    bits = (number >> np.arange(BARS)) & 1
    bars = np.repeat(bits * 255, WIDTH).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(bars[None, :, None], (48, len(bars), 3)))


def number(frame):
    bars = frame[:, WIDTH // 2 :: WIDTH].mean(axis=(0, 2)) > 127
    return int((bars << np.arange(BARS)).sum())


def test_pairs_are_stride_frames_apart_and_every_start_is_drawn(videos):
    source, rng = VideoFiles(videos, stride=8), np.random.default_rng(0)
    for index in range(len(source)):
        seen = set()
        for _ in range(150):
            pair = source.read(index, rng)
            first, second = map(number, pair.frames)
            assert second == first + 8
            assert pair.names[0].endswith(f'#{first}')
            seen.add(first)
        assert seen == set(range(FRAMES - 8))
    assert pair.frames[0].shape == (48, 96, 3)


def test_stride_zero_is_one_frame_twice_and_the_longest_stride_the_ends(videos):
    rng = np.random.default_rng(0)
    first, second = VideoFiles(videos, stride=0).read(0, rng).frames
    np.testing.assert_array_equal(first, second)
    ends = VideoFiles(videos, stride=FRAMES - 1).read(0, rng).frames
    assert [number(frame) for frame in ends] == [0, FRAMES - 1]


def test_short_and_damaged_videos_are_named(videos, tmp_path):
    rng = np.random.default_rng(0)
    with pytest.raises(DataError, match=r'a\.avi: 40 frames, of which no two are 40 apart'):
        VideoFiles(videos, stride=40).read(0, rng)
    (tmp_path / 'noise.mp4').write_bytes(bytes(range(256)) * 20)
    (tmp_path / 'list.txt').write_text('noise.mp4 17\n')
    with pytest.raises(DataError, match=r'noise\.mp4: cannot be decoded'):
        VideoFiles(tmp_path, ann_file=tmp_path / 'list.txt').read(0, rng)
    whole = (videos / 'a.avi').read_bytes()
    (tmp_path / 'noise.mp4').write_bytes(whole[: len(whole) // 3])
    with pytest.raises(DataError, match=r'noise\.mp4'):
        VideoFiles(tmp_path, stride=30).read(0, rng)


def test_without_a_decoder_the_message_names_the_extra(tmp_path, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, 'find_spec', lambda n: None if n == 'av' else find(n))
    with pytest.raises(ValueError, match=r'semcl_mm\[video\]'):
        VideoFiles(tmp_path)
