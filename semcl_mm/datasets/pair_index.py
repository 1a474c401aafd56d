"""The pair index: which pixels of which image are an anchor, without exporting a single image.

SemCL's authors write every pair as two masked JPEGs, 260-450 GB for the paper's data. A pair
needs 24 bytes (image, class, instance, area and box) and an image 20 and its name. The masks come
from the data set's own labels at training time (``docs/pairs.md``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from semcl_mm.datasets.image_files import DataError
from semcl_mm.datasets.index_file import IndexFile
from semcl_mm.datasets.label_reader import MaskFileReader
from semcl_mm.datasets.pair_format import PairIndexError

__all__ = ['PairIndex', 'PairIndexError', 'PairRecord']


@dataclass(frozen=True)
class PairRecord:
    """One anchor.

    Attributes:
        image_path: image file.
        label_path: file of the label (of the mask, where each pair has its own).
        category: class, an index into ``PairIndex.class_names``.
        instance: which one in its image: an instance's number in the label, a component's number
            in raster order, an annotation's place among its image's; 0 where the unit is the class.
        area: pixels of the anchor.
        bbox: tight box x0, y0, x1, y1, upper ends exclusive.
        image_id: images count from 0 in the order of the index.
        size: width, height of the image.
        label_value: value of the anchor's pixels in ``PairIndex.read_label``.
    """

    image_path: Path
    label_path: Path
    category: int
    instance: int
    area: int
    bbox: tuple[int, int, int, int]
    image_id: int
    size: tuple[int, int]
    label_value: int


class PairIndex:
    """Read-only access to the pairs of one or several index files.

    The files stay memory-mapped, so all workers of a machine share one copy; pickling an index
    keeps the paths alone and maps the files again.

    Args:
        parts: opened index files; use :meth:`open` and :meth:`concatenate`.
    """

    def __init__(self, parts: Sequence[IndexFile]) -> None:
        self._parts = tuple(parts)
        self._pair_starts = np.cumsum([0, *(len(part.pairs) for part in self._parts)])
        self._image_starts = np.cumsum([0, *(len(part.images) for part in self._parts)])
        self.class_names, self._category_starts = _join_class_names(self._parts)

    @classmethod
    def open(cls, path: str | Path, data_root: str | Path, verify: bool = True) -> 'PairIndex':
        """Open an index file.

        Args:
            path: file written by ``tools/dataset_converters/build_pair_index.py``.
            data_root: folder that the index was built from (its ROOT).
            verify: compare the sizes of all image and label files with the index. Contents are
                checked when a label is read, in any case.

        Raises:
            PairIndexError: for a damaged index, or naming the first file that is missing or
                has another size than when the index was built.
        """
        part = IndexFile(Path(path).absolute(), Path(data_root).absolute())
        if verify:
            part.verify()
        return cls([part])

    @classmethod
    def concatenate(cls, indices: Sequence['PairIndex']) -> 'PairIndex':
        """One index over several data sets, in this order (SemCL-IM).

        Parts of the same layout and class names share their classes; all others get class numbers
        of their own and names such as ``voc/cat``.
        """
        if not indices:
            raise ValueError('concatenate needs at least one pair index')
        return cls([part for index in indices for part in index._parts])

    def __reduce__(self) -> tuple:
        return _reopen, ([(part.path, part.data_root) for part in self._parts],)

    def __len__(self) -> int:
        return int(self._pair_starts[-1])

    @property
    def num_images(self) -> int:
        """Images that have at least one pair."""
        return int(self._image_starts[-1])

    @cached_property
    def image_ids(self) -> np.ndarray:
        """(N,) image of each pair, ascending. A view of the file unless several are joined."""
        return self._column('image', self._image_starts)

    @cached_property
    def categories(self) -> np.ndarray:
        """(N,) class of each pair. A view of the file unless several are joined."""
        return self._column('category', self._category_starts)

    @cached_property
    def areas(self) -> np.ndarray:
        """(N,) pixels of each anchor. A view of the file unless several are joined."""
        return self._column('area', np.zeros(len(self._parts), dtype=np.int64))

    def pairs_of_image(self, image_id: int) -> range:
        """The pairs of one image: they are neighbours in the index."""
        if not 0 <= image_id < self.num_images:
            raise IndexError(f'image {image_id} of an index of {self.num_images} images')
        part = int(np.searchsorted(self._image_starts, image_id, side='right')) - 1
        pairs = self._parts[part].pairs_of(image_id - int(self._image_starts[part]))
        shift = int(self._pair_starts[part])
        return range(pairs.start + shift, pairs.stop + shift)

    def record(self, index: int) -> PairRecord:
        """Everything that is known of pair ``index``."""
        number, part, pair = self._locate(index)
        image_id = int(pair['image'])
        image = part.images[image_id]
        label_path = part.data_root / part.paths.label(image_id)
        if isinstance(part.reader, MaskFileReader):
            label_path = part.reader.path(label_path, pair)
        return PairRecord(
            image_path=part.data_root / part.paths.image(image_id),
            label_path=label_path,
            category=int(pair['category']) + int(self._category_starts[number]),
            instance=int(pair['instance']),
            area=int(pair['area']),
            bbox=tuple(int(side) for side in pair['bbox']),
            image_id=image_id + int(self._image_starts[number]),
            size=(int(image['width']), int(image['height'])),
            label_value=part.reader.value(pair),
        )

    def label_key(self, index: int) -> tuple[str, int]:
        """Equal for two pairs exactly where ``read_label`` gives both the same array."""
        number, part, pair = self._locate(index)
        if part.reader.shared:
            return 'image', int(pair['image']) + int(self._image_starts[number])
        return 'pair', index % len(self)

    def label_value(self, index: int) -> int:
        """The value of the anchor's pixels in ``read_label(index)``."""
        _, part, pair = self._locate(index)
        return part.reader.value(pair)

    def read_label(self, index: int) -> np.ndarray:
        """Decode the label array that marks the anchor of pair ``index``.

        Returns:
            (H, W) integer array. The anchor is where it equals ``label_value(index)``, so any crop
            of it will do for :meth:`anchor_mask`. Pairs of equal :meth:`label_key` share it.

        Raises:
            DataError: naming the file, where it is missing, damaged, or changed since the index
                was built (CRC-32 of its bytes).
        """
        _, part, pair = self._locate(index)
        image_id = int(pair['image'])
        path = part.data_root / part.paths.label(image_id)
        image = part.images[image_id]
        label = part.reader.read(path, pair, image, part.offsets(image_id))
        if label.shape != (image['height'], image['width']):
            raise DataError(
                f'{path}: label of {label.shape[1]} x {label.shape[0]} pixels, but its image has '
                f'{image["width"]} x {image["height"]}'
            )
        return label

    def anchor_mask(self, index: int, label: np.ndarray) -> np.ndarray:
        """Where the anchor of pair ``index`` is, in its label array or any crop of it.

        Args:
            index: number of the pair.
            label: (H, W) ``read_label(index)``, or a crop.

        Returns:
            (H, W) bool.
        """
        return label == self.label_value(index)

    def summary(self) -> dict:
        """Counts and parameters: pairs, images, pairs per class, and the header of each file."""
        counts = np.bincount(self.categories, minlength=len(self.class_names))
        return {
            'pairs': len(self),
            'images_with_pairs': self.num_images,
            'pairs_per_class': {
                name: int(count)
                for name, count in zip(self.class_names, counts, strict=True)
                if count
            },
            'files': [
                {'path': str(part.path), 'data_root': str(part.data_root)}
                | {key: part.header[key] for key in ('layout', 'unit', 'options', 'counts')}
                for part in self._parts
            ],
        }

    def _locate(self, index: int) -> tuple[int, IndexFile, np.void]:
        if not -len(self) <= index < len(self):
            raise IndexError(f'pair {index} of an index of {len(self)} pairs')
        index %= len(self)
        number = int(np.searchsorted(self._pair_starts, index, side='right')) - 1
        part = self._parts[number]
        return number, part, part.pairs[index - int(self._pair_starts[number])]

    def _column(self, field: str, shifts: np.ndarray) -> np.ndarray:
        if len(self._parts) == 1:
            return self._parts[0].pairs[field]
        columns = [
            part.pairs[field] + np.uint32(shift)
            for part, shift in zip(self._parts, shifts, strict=False)
        ]
        return np.concatenate(columns)


def _reopen(files: Sequence[tuple[Path, Path]]) -> PairIndex:
    return PairIndex([IndexFile(path, data_root) for path, data_root in files])


def _join_class_names(parts: Sequence[IndexFile]) -> tuple[tuple[str, ...], list[int]]:
    """Class names of all parts, and the number that each part's first class gets."""
    starts: dict[tuple, int] = {}
    groups = [(part.header['layout'], *part.header['class_names']) for part in parts]
    names: list[str] = []
    alone = len(set(groups)) == 1
    for layout, *class_names in groups:
        group = (layout, *class_names)
        if group not in starts:
            starts[group] = len(names)
            names.extend(class_names if alone else [f'{layout}/{name}' for name in class_names])
    return tuple(names), [starts[group] for group in groups]
