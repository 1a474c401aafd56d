"""Pairs of frames: which frames they are, that both are cut alike, and that draws repeat."""

import numpy as np
import pytest
import torch
from PIL import Image

from semcl_mm.datasets import (
    MOCO_VIEWS,
    FrameFolders,
    FrameList,
    FramePairDataset,
    PairDraw,
    StillFrames,
)
from semcl_mm.datasets.frame_sources import FramePair, FrameSource
from semcl_mm.datasets.image_files import DataError

PLAIN = (dict(scale=(0.2, 1.0)),) * 2


def write_frame(path, value, size=(16, 12)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((size[1], size[0], 3), value, np.uint8)).save(path)


@pytest.fixture
def clips(tmp_path):
    """A clip of frames 3 to 12 without frame 7, in a folder of its own; frame n has the value n."""
    for n in range(3, 13):
        if n != 7:
            write_frame(tmp_path / f'walk/left/img_{n:03d}.png', n)
    return tmp_path


def numbers(pair: FramePair) -> tuple[int, int]:
    first, second = pair.frames
    return int(first[0, 0, 0]), int(second[0, 0, 0])


def test_pairs_are_stride_frames_apart_by_number_and_all_of_them_are_drawn(clips):
    rng = np.random.default_rng(0)
    expected = {(3, 6), (5, 8), (6, 9), (8, 11), (9, 12)}
    source = FrameFolders(clips, stride=3)
    assert len(source) == 1
    assert {numbers(source.read(0, rng)) for _ in range(100)} == expected
    every = FrameFolders(clips, stride=3, all_pairs=True)
    assert [numbers(every.read(i, rng)) for i in range(len(every))] == sorted(expected)
    same = FrameFolders(clips, stride=0, all_pairs=True)
    assert len(same) == 9
    assert numbers(same.read(4, rng)) == (8, 8)


def test_clips_come_from_a_list_and_short_ones_are_named_or_left_out(clips):
    for n in (1, 2):
        write_frame(clips / f'short/{n}.png', 100)
    write_frame(clips / 'zoo/1.png', 1)
    write_frame(clips / 'zoo/4.png', 4)
    (clips / 'list.txt').write_text('zoo 2\n\nwalk/left 9  # a comment\n')
    rng = np.random.default_rng(0)
    source = FrameFolders(clips, stride=3, ann_file=clips / 'list.txt', all_pairs=True)
    assert numbers(source.read(0, rng)) == (1, 4)
    assert len(source) == 6
    with pytest.raises(DataError, match=r'1 of 3 clips.*3 apart.*short'):
        FrameFolders(clips, stride=3)
    left = FrameFolders(clips, stride=3, leave_out_short=True)
    assert len(left) == 2
    assert numbers(left.read(1, rng)) == (1, 4)
    with pytest.raises(DataError, match='no clip holds two frames 50 apart'):
        FrameFolders(clips, stride=50, leave_out_short=True)


def test_a_listed_path_may_hold_blanks_and_be_followed_by_counts(clips):
    """Classes of Kinetics-400 are "riding a bike" and "bee keeping"; the longest path counts."""
    for folder, first in (('riding a bike/v', 1), ('riding a bike/v 2', 11), ('riding', 21)):
        write_frame(clips / folder / '1.png', first)
        write_frame(clips / folder / '2.png', first + 1)
    listing = clips / 'list.txt'
    lines = ('riding a bike/v 2', 'riding a bike/v 2 17 3', 'riding a bike/v 9\t# text', 'riding 2')
    listing.write_text('\n'.join(['# clips', '', *lines]))
    source, rng = FrameFolders(clips, stride=1, ann_file=listing), np.random.default_rng(0)
    found = [numbers(source.read(i, rng))[0] for i in range(len(source))]
    assert found == [11, 11, 1, 21]
    listing.write_text('no such clip 17\n')
    with pytest.raises(DataError, match=r'no such clip 17: cannot be read'):
        FrameFolders(clips, ann_file=listing)


def test_frames_without_or_with_equal_numbers_are_refused(clips):
    write_frame(clips / 'walk/left/extra_03.png', 0)
    with pytest.raises(DataError, match='both frame 3'):
        FrameFolders(clips)
    write_frame(clips / 'other/cover.png', 0)
    with pytest.raises(DataError, match=r'cover\.png: no frame number'):
        FrameFolders(clips / 'other')
    with pytest.raises(DataError, match='no such folder'):
        FrameFolders(clips / 'absent')


def test_a_list_of_pairs_keeps_one_gap_and_names_its_bad_line(tmp_path):
    for n in range(3):
        write_frame(tmp_path / f'{n}.png', n)
    listing = tmp_path / 'pairs.txt'
    listing.write_text('# first second gap\n0.png 1.png 30\n\n0.png 2.png 60\n1.png 2.png 30\n')
    rng = np.random.default_rng(0)
    source = FrameList(listing, tmp_path, gap=30)
    assert [numbers(source.read(i, rng)) for i in range(len(source))] == [(0, 1), (1, 2)]
    assert len(FrameList(listing, tmp_path)) == 3
    with pytest.raises(DataError, match='gap of 7'):
        FrameList(listing, tmp_path, gap=7)
    for line in ('0.png', '0.png 1.png --3', '0.png 1.png ²', '0.png 1.png 3 4'):
        listing.write_text(f'0.png 1.png 30\n{line}\n')
        with pytest.raises(DataError, match=r'pairs\.txt:2'):
            FrameList(listing, tmp_path)
    listing.write_bytes(b'0.png caf\xe9.png 30\n')
    with pytest.raises(DataError, match=r'pairs\.txt: is no text in UTF-8'):
        FrameList(listing, tmp_path)
    with pytest.raises(ValueError, match='gap=-5'):
        FrameList(listing, tmp_path, gap=-5)


def test_tabs_separate_paths_with_blanks_in_a_list_of_pairs(tmp_path):
    for n in range(2):
        write_frame(tmp_path / f'bee keeping/#{n}.png', n)
    listing = tmp_path / 'pairs.txt'
    listing.write_text('bee keeping/#0.png \t bee keeping/#1.png\t30 # near\n')
    source = FrameList(listing, tmp_path, gap=30)
    assert numbers(source.read(0, np.random.default_rng(0))) == (0, 1)
    listing.write_text('bee keeping/#0.png\tbee keeping/#1.png\n')
    assert numbers(FrameList(listing, tmp_path).read(0, np.random.default_rng(0))) == (0, 1)
    listing.write_text('bee keeping/#0.png bee keeping/#1.png 30\n')
    with pytest.raises(DataError, match=r'pairs\.txt:1.*tabs'):
        FrameList(listing, tmp_path)


def test_frames_of_different_sizes_are_no_pair(tmp_path):
    write_frame(tmp_path / '1.png', 1)
    write_frame(tmp_path / '2.png', 2, size=(12, 16))
    with pytest.raises(DataError, match='different sizes'):
        FrameFolders(tmp_path, stride=1).read(0, np.random.default_rng(0))


class Ramps(FrameSource):
    """Frames whose red and green tell the pixel: a view shows where it was cut from."""

    def __len__(self):
        return 3

    def read(self, index, rng):
        rows, columns = np.mgrid[:120, :160].astype(np.uint8)
        first = np.stack([rows, columns, np.full_like(rows, 10)], axis=-1)
        second = first.copy()
        second[..., 2] = 20
        return FramePair((first, second), ('a', 'b'))


def test_both_frames_are_cut_by_one_box_and_flipped_alike():
    data = FramePairDataset(Ramps(), views=PLAIN, size=32)
    apart = FramePairDataset(Ramps(), views=PLAIN, size=32, same_crop=False)
    flips = set()
    for position in range(20):
        item = data[PairDraw(1, position, 0)]
        first, second = item['inputs']
        assert torch.equal(first[:2], second[:2])
        assert first[2].unique().tolist() == [10]
        assert second[2].unique().tolist() == [20]
        np.testing.assert_array_equal(item['boxes'], [[0, 0, 1, 1]] * 2)
        flips.add(tuple(item['flipped'].tolist()))
        one, other = apart[PairDraw(1, position, 0)]['inputs']
        assert not torch.equal(one[:2], other[:2])
    assert flips == {(True, True), (False, False)}


def test_colours_are_drawn_apart_and_an_item_is_a_function_of_its_draw():
    data = FramePairDataset(Ramps(), views=MOCO_VIEWS, size=16, photometry='device')
    draw = PairDraw(2, 5, 0)
    item, again = data[draw], data[draw]
    assert item['photometry'].shape == (2, 1, 8)
    assert not torch.equal(item['photometry'][0], item['photometry'][1])
    assert torch.equal(item['photometry'], again['photometry'])
    assert torch.equal(item['inputs'][1], again['inputs'][1])
    assert item['data_samples'].img_path == ['a', 'b']
    assert not torch.equal(data[PairDraw(2, 6, 0)]['inputs'][0], item['inputs'][0])


def test_still_images_are_frames_for_lack_of_a_video(tmp_path):
    write_frame(tmp_path / 'x.png', 50)
    first, second = StillFrames(tmp_path).read(0, np.random.default_rng(0)).frames
    assert first is second


def test_a_pair_needs_two_recipes_and_a_source():
    with pytest.raises(ValueError, match='two recipes'):
        FramePairDataset(Ramps(), views=PLAIN[:1])
    with pytest.raises(ValueError, match='frames='):
        FramePairDataset('folder')


def test_camvid_pairs_one_second_apart(real_data):
    source = FrameList(real_data / 'camvid/frame_pairs.txt', real_data / 'camvid', gap=30)
    assert len(source) > 300
    frames = source.read(0, np.random.default_rng(0)).frames
    assert frames[0].shape == frames[1].shape == (360, 480, 3)
    assert not np.array_equal(*frames)
