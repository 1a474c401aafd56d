"""The fast reader of label PNGs against Pillow for each kind of file, and where it must give up."""

import io
import struct
import sys
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parent))
from pair_worlds import blocks, write_image

from semcl_mm.datasets import image_files, label_png
from semcl_mm.datasets import label_sources as layouts
from semcl_mm.datasets.image_files import DataError, decode_label
from semcl_mm.datasets.label_png import decode_label_png
from semcl_mm.datasets.pair_builder import Selection, build_index

GREY, RGB, PALETTE, RGBA = 0, 2, 3, 6
CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, RGBA: 4}
KINDS = [(GREY, depth) for depth in (1, 2, 4, 8, 16)]
KINDS += [(PALETTE, depth) for depth in (1, 2, 4, 8)] + [(RGB, 8), (RGBA, 8)]
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2))
ADAM7 += ((0, 1, 1, 2),)

compiled = pytest.mark.skipif(label_png.restore_rows is None, reason='installed without a compiler')


@pytest.fixture(params=['C', 'NumPy'])
def either(request, monkeypatch) -> str:
    """With and without the compiled function."""
    if request.param == 'NumPy':
        monkeypatch.setattr(label_png, 'restore_rows', None)
    elif label_png.restore_rows is None:
        pytest.skip('installed without a compiler')
    return request.param


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))


def png(header: tuple, rows: bytes, pieces: int = 1, packed: bytes | None = None) -> bytes:
    """A file of these header fields and filtered rows, its data in some pieces."""
    packed = zlib.compress(rows) if packed is None else packed
    cut = -(-len(packed) // pieces)
    body = chunk(b'IHDR', struct.pack('>IIBBBBB', *header))
    if header[3] == PALETTE:
        body += chunk(b'PLTE', bytes(range(256)) * 3)
    body += b''.join(chunk(b'IDAT', packed[k * cut : (k + 1) * cut]) for k in range(pieces))
    return b'\x89PNG\r\n\x1a\n' + body + chunk(b'IEND', b'')


def packed_rows(samples: np.ndarray, depth: int) -> np.ndarray:
    """Samples (H, W, channels) as the bytes of each row."""
    height = len(samples)
    if depth >= 8:
        return samples.astype(f'>u{depth // 8}').reshape(height, -1).view(np.uint8)
    bits = samples.reshape(height, -1, 1) >> np.arange(depth - 1, -1, -1) & 1
    return np.packbits(bits.reshape(height, -1).astype(np.uint8), axis=1)


def paeth(a: int, b: int, c: int) -> int:
    """The predictor as ISO/IEC 15948, 9.4 has it, one byte at a time."""
    p = a + b - c
    return min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]


def filtered(rows: np.ndarray, filters, pixel: int) -> bytes:
    """What an encoder stores for rows of bytes, one filter for each row."""
    out = b''
    above = np.zeros(rows.shape[1], dtype=np.int64)
    for row, kind in zip(rows.astype(np.int64), filters, strict=True):
        left, corner = (np.pad(line, (pixel, 0))[: len(row)] for line in (row, above))
        nearest = [paeth(*three) for three in zip(left, above, corner, strict=True)]
        guess = (0, left, above, (left + above) // 2, np.array(nearest))[kind]
        out += bytes([kind]) + (row - guess).astype(np.uint8).tobytes()
        above = row
    return out


def make(colour: int, depth: int, filters, width: int = 61, noise: bool = False, **options):
    """Samples and file of one kind."""
    height, channels = len(filters), CHANNELS[colour]
    rng = np.random.default_rng((colour, depth, width))
    samples = rng.integers(0, 1 << depth, (height, width, channels))
    if not noise:
        flat = blocks(width, range(5), cell=5, size=(height, width))
        samples = rng.integers(0, 1 << depth, (5, channels))[flat]
        samples[height // 2, width // 2 :] = samples[0, 0]
    rows = packed_rows(samples, depth)
    data = filtered(rows, filters, max(1, channels * depth // 8))
    return samples, png((width, height, depth, colour, 0, 0, 0), data, **options)


def pillow(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert('L') if image.mode == '1' else image)


@compiled
@pytest.mark.parametrize(('colour', 'depth'), KINDS)
@pytest.mark.parametrize('filters', [0, 1, 2, 3, 4, 'mixed'])
def test_each_kind_and_filter_gives_what_pillow_gives(colour, depth, filters) -> None:
    rng = np.random.default_rng(3)
    for width in (1, 3, 61, 130):
        for noise in (False, True):
            chosen = rng.integers(0, 5, 21) if filters == 'mixed' else [filters] * 21
            samples, data = make(colour, depth, chosen, width, noise)
            found, expected = decode_label_png(data), pillow(data)
            assert found.dtype == expected.dtype
            np.testing.assert_array_equal(found, expected)
            if colour != GREY or depth >= 8:
                np.testing.assert_array_equal(found.reshape(samples.shape), samples)


@pytest.mark.parametrize('colour', [RGB, RGBA])
def test_a_colour_is_a_number_with_red_lowest_and_without_alpha(either, colour) -> None:
    samples, data = make(colour, 8, [4, 2, 1] * 7)
    expected = samples[..., 0] + 256 * samples[..., 1] + 65536 * samples[..., 2]
    found = decode_label(data, 'a.png')
    assert found.dtype == np.uint32
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize('pieces', [1, 2, 7])
def test_image_data_in_pieces_are_one_stream(either, pieces) -> None:
    samples, data = make(GREY, 16, [0] * 9, pieces=pieces)
    np.testing.assert_array_equal(decode_label_png(data), samples[..., 0])


def test_without_the_compiled_function_filtered_files_are_left_to_pillow(monkeypatch) -> None:
    monkeypatch.setattr(label_png, 'restore_rows', None)
    samples, data = make(GREY, 8, [0, 0, 4, 0])
    assert decode_label_png(data) is None
    np.testing.assert_array_equal(decode_label(data, 'a.png'), samples[..., 0])


def test_an_interlaced_file_is_left_to_pillow(either) -> None:
    label = blocks(5, range(200), size=(19, 23)).astype(np.uint8)
    passes = [label[y::dy, x::dx] for x, y, dx, dy in ADAM7]
    rows = b''.join(filtered(part, [0] * len(part), 1) for part in passes)
    data = png((23, 19, 8, GREY, 0, 0, 1), rows)
    assert decode_label_png(data) is None
    np.testing.assert_array_equal(decode_label(data, 'a.png'), label)


def outcome(data: bytes):
    """The label, or the words of the error."""
    try:
        return decode_label(data, 'a.png').tolist()
    except DataError as error:
        return str(error)


@pytest.mark.filterwarnings('ignore::PIL.Image.DecompressionBombWarning')
def test_no_damaged_file_is_read_and_pillow_alone_judges_it(either, monkeypatch) -> None:
    _, whole = make(PALETTE, 4, [0, 0, 0, 0], width=13)
    found, broken = [], 0
    damaged = [whole[:place] for place in range(len(whole))]
    damaged += [
        whole[:place] + bytes([whole[place] ^ flip]) + whole[place + 1 :]
        for place in range(len(whole))
        for flip in (1, 128)
    ]
    for data in damaged:
        assert decode_label_png(data) is None
        found.append(outcome(data))
        broken += isinstance(found[-1], str) and found[-1].startswith('a.png: ')
    assert broken > len(damaged) / 3
    monkeypatch.setattr(image_files, 'decode_label_png', lambda data: None)
    assert found == [outcome(data) for data in damaged]


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        (lambda rows: b'\5' + rows[1:], ''),  # no such filter
        (lambda rows: rows[:-14], 'end before 4 rows'),  # Pillow would add a row of zeros
        (lambda rows: rows[:-1], 'end before 4 rows'),
    ],
)
def test_rows_that_do_not_fit_the_header_are_an_error_that_names_the_file(
    either, change, words
) -> None:
    rows = filtered(np.full((4, 13), 7), [0, 0, 0, 0], 1)
    with pytest.raises(DataError, match=rf'a\.png: truncated or damaged.*{words}'):
        decode_label(png((13, 4, 8, GREY, 0, 0, 0), change(rows)), 'a.png')


@pytest.mark.parametrize('side', [2**15, 2**31 - 1, 2**32 - 1])
def test_a_header_that_claims_a_huge_image_costs_no_memory(either, side) -> None:
    data = png((side, side, 16, GREY, 0, 0, 0), bytes(1000))
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=r'a\.png'):
            decode_label(data, 'a.png')
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_a_stream_longer_than_the_image_is_not_inflated_to_its_end(either) -> None:
    data = png((4, 4, 8, GREY, 0, 0, 0), bytes(2**24))
    tracemalloc.start()
    try:
        assert decode_label_png(data) is None
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_a_wrong_sum_over_all_pixels_is_noticed(either) -> None:
    packed = bytearray(zlib.compress(filtered(np.full((4, 13), 7), [0] * 4, 1)))
    packed[-1] ^= 1
    assert decode_label_png(png((13, 4, 8, GREY, 0, 0, 0), b'', packed=bytes(packed))) is None


@compiled
@pytest.mark.parametrize(
    ('given', 'taken', 'height', 'size', 'pixel'),
    [
        (12, 9, 2, 5, 1),
        (12, 15, 2, 6, 1),
        (12, 15, -2, 5, 1),
        (12, 15, 2, 5, 6),
        (12, 15, 2, 5, 0),
        (2, 2, 1, 1, 2),
        (0, 0, 0, 5, 1),
        (12, 15, 2**62, 2**62, 1),
    ],
)
def test_the_compiled_function_refuses_buffers_of_another_size(
    given, taken, height, size, pixel
) -> None:
    with pytest.raises(ValueError, match='sizes'):
        label_png.restore_rows(bytes(given), bytearray(taken), height, size, pixel)


@compiled
def test_an_index_is_the_same_with_and_without_the_compiled_function(tmp_path, monkeypatch) -> None:
    for number in range(4):
        write_image(tmp_path / f'images/{number}.png', number)
        label = blocks(number, [0, 1, 300, 65535]).astype(np.uint16)
        path = tmp_path / f'labels/{number}.png'
        path.parent.mkdir(exist_ok=True)
        rows = filtered(packed_rows(label[..., None], 16), [number] * len(label), 2)
        path.write_bytes(png((*label.shape[::-1], 16, GREY, 0, 0, 0), rows))
    written = []
    for function in (label_png.restore_rows, None):
        monkeypatch.setattr(label_png, 'restore_rows', function)
        build_index(layouts.folder(tmp_path), tmp_path / 'index', Selection())
        written.append((tmp_path / 'index').read_bytes())
    assert written[0] == written[1]
