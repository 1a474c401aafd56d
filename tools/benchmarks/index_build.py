"""How fast pairs are chosen: the index against plain copies of the authors' way, in one run.

    python tools/benchmarks/index_build.py

Makes images and label maps at three sizes, then takes the processor time on one core, in turns:

- reference: what SemCL's generator does. Decode image and label, compare the whole label with
  every class, and write the two masked images of each pair (JPEG, PNG for Cityscapes). Once with
  OpenCV's kernels, which the authors' C++ calls, and once in NumPy and Pillow. The authors compare
  with a scalar, which takes 40 times as long as ``inRange`` in OpenCV 4.12's Python build; the
  reference has the faster one unless ``--scalar-compare`` is given.
- index: what build_pair_index.py does with one worker, listing and writing included; the first
  line says whether the compiled part of the label reader is there (if not, Pillow decodes). Of
  Cityscapes it reads the label ids, the authors the colour maps: the pairs are the same.
  ``--colour-maps`` lets both read colours.

Medians of several rounds; all sides must find the same number of pairs. No data is needed.
Processor time, not wall time: the ratios then hold on a busy machine as well.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

os.environ.setdefault('OMP_NUM_THREADS', '1')

import cv2
import numpy as np
from PIL import Image

from semcl_mm.datasets import label_png
from semcl_mm.datasets.label_sources import LabelSource, cityscapes, coco_stuff, voc
from semcl_mm.datasets.label_sources.cityscapes import COLOURS, TRAIN_ID
from semcl_mm.datasets.pair_builder import Selection, build_index

SHARE = 0.01
SCALAR_COMPARE = False  # --scalar-compare
_NO_CLASS = 255


@dataclass(frozen=True)
class Result:
    """One row of the table; rates in images per second and core."""

    size: str
    layout: str
    images: int
    pairs: int
    opencv_rate: float
    numpy_rate: float
    index_rate: float
    ratio_opencv: float
    ratio_numpy: float
    reference_bytes_per_pair: float
    index_bytes_per_pair: float


def blobs(rng: np.random.Generator, height: int, width: int, cell: int) -> np.ndarray:
    """Smooth noise in (0, 1) whose grain is about ``cell`` pixels, (H, W) float32."""
    coarse = rng.random((height // cell + 2, width // cell + 2), dtype=np.float32)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def photo(rng: np.random.Generator, label: np.ndarray) -> np.ndarray:
    """A picture with the detail of a photo: octaves of noise over a colour for each region."""
    height, width = label.shape
    detail = sum(blobs(rng, height, width, cell) * cell**0.4 * 14 for cell in (1, 2, 4, 16, 64))
    colours = rng.integers(40, 216, (256, 3)).astype(np.float32)
    picture = colours[label] + (detail - detail.mean())[..., None] * rng.uniform(0.7, 1.3, 3)
    return np.clip(picture, 0, 255).astype(np.uint8)


def regions_map(
    rng: np.random.Generator, height: int, width: int, classes: np.ndarray, wobble: float
) -> np.ndarray:
    """A full label map: curved cells around random seeds, several seeds to a class."""
    seeds = rng.random((len(classes), 2)) * (height, width)
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    rows += (blobs(rng, height, width, height // 8) - 0.5) * wobble * height
    columns += (blobs(rng, height, width, height // 8) - 0.5) * wobble * height
    nearest = np.full((height, width), np.inf, dtype=np.float32)
    label = np.zeros((height, width), dtype=np.uint8)
    for value, (y, x) in zip(classes, seeds, strict=True):
        distance = (rows - y) ** 2 + (columns - x) ** 2
        closer = distance < nearest
        nearest[closer], label[closer] = distance[closer], value
    return label


def voc_label(rng: np.random.Generator) -> np.ndarray:
    """Background and one to three objects inside a void rim, as in VOC: 1.3 pairs an image."""
    label = np.zeros((375, 500), dtype=np.uint8)
    for value in rng.choice(np.arange(1, 21), rng.choice([1, 2, 3], p=[0.6, 0.3, 0.1]), False):
        y, x = rng.random(2) * (375, 500)
        rows, columns = np.mgrid[:375, :500]
        reach = np.hypot(rows - y, columns - x) / rng.uniform(25, 160)
        reach += (blobs(rng, 375, 500, 40) - 0.5) * 0.8
        label[reach < 1.06] = _NO_CLASS
        label[reach < 1] = value
    return label


def coco_label(rng: np.random.Generator) -> np.ndarray:
    """Things and stuff of COCO: about seven classes of 182, 6 pairs an image."""
    classes = rng.choice(182, 8, replace=False)
    label = regions_map(rng, 480, 640, np.repeat(classes, rng.integers(1, 3, 8)), 0.5)
    label[blobs(rng, 480, 640, 60) > 0.93] = _NO_CLASS
    return label


def city_label(rng: np.random.Generator) -> np.ndarray:
    """Train ids of a street: nine classes in about sixty pieces, 7 pairs an image."""
    classes = rng.choice(19, 9, replace=False)
    pieces = rng.choice(classes, 60, p=np.geomspace(1, 0.05, 9) / np.geomspace(1, 0.05, 9).sum())
    label = regions_map(rng, 1024, 2048, pieces, 0.3)
    label[980:] = _NO_CLASS
    return label


def make_data(root: Path, layout: str, count: int, seed: int) -> None:
    """Write images and labels in one of the official layouts."""
    for number in range(count):
        rng = np.random.default_rng((seed, number))
        name = f'{number:06d}'
        if layout == 'voc':
            label = voc_label(rng)
            _write(root / f'JPEGImages/{name}.jpg', photo(rng, label))
            palette = Image.fromarray(label, 'P')
            palette.putpalette(voc_palette().tobytes())
            _write(root / f'SegmentationClass/{name}.png', palette)
        elif layout == 'coco-stuff':
            label = coco_label(rng)
            _write(root / f'train2017/{name}.jpg', photo(rng, label))
            _write(root / f'stuffthingmaps_trainval2017/train2017/{name}.png', label)
        else:
            label = city_label(rng)
            colours = np.zeros((256, 4), dtype=np.uint8)
            colours[: len(COLOURS), :3], colours[:, 3] = COLOURS, 255
            _write(root / f'leftImg8bit/train/c/{name}_leftImg8bit.png', photo(rng, label))
            label_ids = np.zeros(256, dtype=np.uint8)
            for label_id, train_id in TRAIN_ID.items():
                label_ids[train_id] = label_id
            _write(root / f'gtFine/train/c/{name}_gtFine_color.png', colours[label])
            _write(root / f'gtFine/train/c/{name}_gtFine_labelIds.png', label_ids[label])
    if layout == 'voc':
        lists = root / 'ImageSets/Segmentation'
        lists.mkdir(parents=True)
        names = ''.join(f'{number:06d}\n' for number in range(count))
        (lists / 'train.txt').write_text(names)


def voc_palette() -> np.ndarray:
    """VOC's 256 colours, (256, 3) uint8: the bits of the number, dealt to red, green and blue."""
    numbers = np.arange(256)[:, None]
    bits = [(numbers >> (3 * bit + np.arange(3)) & 1) << (7 - bit) for bit in range(8)]
    return sum(bits).astype(np.uint8)


def _write(path: Path, picture: np.ndarray | Image.Image) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(picture, np.ndarray):
        picture = Image.fromarray(picture)
    picture.save(path, **({'quality': 92} if path.suffix == '.jpg' else {}))


def _masked_pair(image: np.ndarray, mask: np.ndarray, target: Path, suffix: str) -> int:
    """Write one pair as the authors do; returns its bytes."""
    size = 0
    for role, chosen in (('anchor', mask), ('Nanchor', cv2.bitwise_not(mask))):
        path = f'{target}_{role}{suffix}'
        cv2.imwrite(path, cv2.bitwise_and(image, cv2.merge([chosen] * 3)))
        size += os.path.getsize(path)
    return size


def equals(channel: np.ndarray, value: int) -> np.ndarray:
    """The mask of one value, 0 or 255."""
    if SCALAR_COMPARE:
        return cv2.compare(channel, float(value), cv2.CMP_EQ)
    return cv2.inRange(channel, value, value)


def _large(mask: np.ndarray) -> bool:
    rows, columns = mask.shape
    return cv2.sumElems(mask)[0] > SHARE * rows * columns * 255


def reference_colours(
    image_path: Path, label_path: Path, out: Path, colours: np.ndarray, suffix: str
) -> tuple[int, int]:
    """VOC and Cityscapes: three compares and two products of full images for each class."""
    image, label = cv2.imread(str(image_path)), cv2.imread(str(label_path))
    channels = cv2.split(label)
    pairs = size = 0
    for colour in colours:
        parts = [
            equals(channel, value)
            for channel, value in zip(channels, colour[::-1].tolist(), strict=True)
        ]
        mask = cv2.multiply(cv2.multiply(parts[0], parts[1]), parts[2])
        if _large(mask):
            size += _masked_pair(image, mask, out / f'{image_path.stem}_{pairs}', suffix)
            pairs += 1
    return pairs, size


def reference_values(image_path: Path, label_path: Path, out: Path) -> tuple[int, int]:
    """COCO: one compare of the full label for each of 182 values."""
    image = cv2.imread(str(image_path))
    label = cv2.imread(str(label_path), cv2.IMREAD_GRAYSCALE)
    pairs = size = 0
    for value in range(182):
        mask = equals(label, value)
        if _large(mask):
            size += _masked_pair(image, mask, out / f'{image_path.stem}_{pairs}', '.jpg')
            pairs += 1
    return pairs, size


def reference_numpy(
    image_path: Path, label_path: Path, out: Path, classes: np.ndarray, suffix: str
) -> tuple[int, int]:
    """The same steps in NumPy and Pillow, as a port to Python would have them."""
    image = np.asarray(Image.open(image_path).convert('RGB'))
    label = Image.open(label_path)
    label = np.asarray(label.convert('RGB') if classes.ndim == 2 else label)
    pairs = size = 0
    for value in classes:
        mask = label == value
        if classes.ndim == 2:
            mask = mask[..., 0] & mask[..., 1] & mask[..., 2]
        if mask.sum() > SHARE * mask.shape[0] * mask.shape[1]:
            for role, chosen in (('anchor', mask), ('Nanchor', ~mask)):
                path = out / f'{image_path.stem}_{role}{pairs}{suffix}'
                Image.fromarray(image * chosen[..., None]).save(path, quality=95)
                size += path.stat().st_size
            pairs += 1
    return pairs, size


def run_reference(source: LabelSource, out: Path, kernels: str) -> tuple[int, int]:
    """The authors' way over a whole data set: pairs and bytes written."""
    total = np.zeros(2, dtype=np.int64)
    classes, suffix = {
        'voc': (voc_palette()[1:21], '.jpg'),
        'coco-stuff': (np.arange(182), '.jpg'),
        'cityscapes': (np.array(COLOURS, dtype=np.uint8), '.png'),
    }[source.layout]
    for item in source.items:
        # Of Cityscapes the authors read the colour maps.
        label = item.label.replace('labelIds', 'color')
        files = (source.root / item.image, source.root / label, out)
        if kernels == 'numpy':
            total += reference_numpy(*files, classes, suffix)
        elif source.layout == 'coco-stuff':
            total += reference_values(*files)
        else:
            total += reference_colours(*files, classes, suffix)
    return int(total[0]), int(total[1])


def measure(
    size: str, make: Callable[[Path], LabelSource], layout: str, count: int, rounds: int
) -> Result:
    """Time both sides in turns on data made for the purpose."""
    with tempfile.TemporaryDirectory() as folder:
        root, out = Path(folder, 'data'), Path(folder, 'pairs')
        out.mkdir()
        make_data(root, layout, count, seed=0)
        index = Path(folder, 'index')
        sides = {
            'opencv': lambda: run_reference(make(root), out, 'opencv'),
            'numpy': lambda: run_reference(make(root), out, 'numpy'),
            'index': lambda: build_index(make(root), index, Selection()),
        }
        seconds: dict[str, list[float]] = {side: [] for side in sides}
        found = {}
        for _ in range(rounds):
            for side, run in sides.items():
                for _ in range(5 if side == 'index' else 1):
                    begin = time.process_time()
                    found[side] = run()
                    seconds[side].append(time.process_time() - begin)
    pairs, written = found['opencv']
    if not found['index']['pairs'] == pairs == found['numpy'][0]:
        raise SystemExit(f'{layout}: the sides disagree on the pairs: {found}')
    rate = {side: count / statistics.median(taken) for side, taken in seconds.items()}
    return Result(
        size=size,
        layout=layout,
        images=count,
        pairs=pairs,
        opencv_rate=rate['opencv'],
        numpy_rate=rate['numpy'],
        index_rate=rate['index'],
        ratio_opencv=rate['index'] / rate['opencv'],
        ratio_numpy=rate['index'] / rate['numpy'],
        reference_bytes_per_pair=written / pairs,
        index_bytes_per_pair=found['index']['bytes'] / pairs,
    )


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--scale', type=float, default=1, help='more or fewer images')
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the rows to a file, too')
    parser.add_argument('--scalar-compare', action='store_true', help="the authors' own operation")
    parser.add_argument('--colour-maps', action='store_true', help='both sides read colour maps')
    args = parser.parse_args(arguments)
    global SCALAR_COMPARE
    SCALAR_COMPARE = args.scalar_compare
    city = partial(cityscapes, label='color') if args.colour_maps else cityscapes
    cv2.setNumThreads(1)
    cases = [
        ('500 x 375', voc, 'voc', 64),
        ('640 x 480', coco_stuff, 'coco-stuff', 32),
        ('2048 x 1024', city, 'cityscapes', 4),
    ]
    reader = 'with' if label_png.restore_rows else 'WITHOUT'
    print(f'images/s and core; label reader {reader} its compiled part')
    print('| labels | images | pairs | OpenCV | NumPy | index | × OpenCV | × NumPy | ', end='')
    print('reference, bytes/pair | index, bytes/pair |')
    print('|---|---|---|---|---|---|---|---|---|---|')
    results = []
    for size, make, layout, count in cases:
        row = measure(size, make, layout, max(1, round(count * args.scale)), args.rounds)
        results.append(asdict(row))
        print(
            f'| {size} ({layout}) | {row.images} | {row.pairs} | {row.opencv_rate:.1f} | '
            f'{row.numpy_rate:.1f} | {row.index_rate:.0f} | {row.ratio_opencv:.1f} | '
            f'{row.ratio_numpy:.1f} | {row.reference_bytes_per_pair:,.0f} | '
            f'{row.index_bytes_per_pair:.1f} |',
            flush=True,
        )
    if args.json:
        args.json.write_text(json.dumps(results, indent=1) + '\n')


if __name__ == '__main__':
    main()
