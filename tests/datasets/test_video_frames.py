"""Frames out of video files; six bars, black or white, tell a frame's number."""

import importlib.util
import pickle
from multiprocessing.reduction import ForkingPickler

import numpy as np
import pytest

from semcl_mm.datasets import VideoFiles, video_frames
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
    (tmp_path / 'list.txt').write_text('gone.mp4\n')
    with pytest.raises(DataError, match=r'list\.txt: its first video .*gone\.mp4 does not exist'):
        VideoFiles(tmp_path, ann_file=tmp_path / 'list.txt')
    whole = (videos / 'a.avi').read_bytes()
    (tmp_path / 'noise.mp4').write_bytes(whole[: len(whole) // 3])
    with pytest.raises(DataError, match=r'noise\.mp4'):
        VideoFiles(tmp_path, stride=30).read(0, rng)


def test_a_listed_video_may_hold_blanks_in_its_path(videos, tmp_path):
    (tmp_path / 'riding a bike').mkdir()
    for name in ('v.avi', 'v 2.avi'):
        (tmp_path / 'riding a bike' / name).symlink_to(videos / 'a.avi')
    (tmp_path / 'list.txt').write_text('riding a bike/v.avi 17\n\nriding a bike/v 2.avi\n')
    source, rng = VideoFiles(tmp_path, ann_file=tmp_path / 'list.txt'), np.random.default_rng(0)
    names = [source.read(i, rng).names[0].split('#')[0] for i in range(len(source))]
    assert names == [str(tmp_path / 'riding a bike' / name) for name in ('v.avi', 'v 2.avi')]


def test_a_broken_video_is_replaced_counted_and_logged_once_if_that_is_wanted(
    videos, tmp_path, monkeypatch
):
    logged = []
    monkeypatch.setattr(video_frames, 'print_log', lambda text, *a, **k: logged.append(text))
    for name in ('a.avi', 'b.avi'):
        (tmp_path / name).symlink_to(videos / 'a.avi')
    (tmp_path / 'noise.mp4').write_bytes(bytes(range(256)) * 20)
    source = VideoFiles(tmp_path, skip_broken=True)
    broken = [source.videos.path(i).endswith('noise.mp4') for i in range(3)].index(True)
    worker = pickle.loads(ForkingPickler.dumps(source))  # what a spawned worker gets
    for _ in range(2):
        pairs = [s.read(broken, np.random.default_rng(7)) for s in (source, worker)]
        assert pairs[0].names == pairs[1].names  # still a function of the draw
        assert 'noise' not in pairs[0].names[0]
    others = {source.read(broken, np.random.default_rng(i)).names[0][-7:-4] for i in range(20)}
    assert len(others) >= 2
    assert len(logged) == source.broken == worker.broken == 1
    assert 'noise.mp4: cannot be decoded' in logged[0]
    for name in ('a.avi', 'b.avi'):
        (tmp_path / name).unlink()
    with pytest.raises(DataError, match=r'noise\.mp4.*in a row'):
        VideoFiles(tmp_path, skip_broken=True).read(0, np.random.default_rng(0))


def test_without_a_decoder_the_message_names_the_extra(tmp_path, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, 'find_spec', lambda n: None if n == 'av' else find(n))
    with pytest.raises(ValueError, match=r'semcl_mm\[video\]'):
        VideoFiles(tmp_path)
