"""One index file over its data: pairs of an image, its paths, and whether the data changed."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from semcl_mm.datasets.label_reader import MaskFileReader, reader_of
from semcl_mm.datasets.pair_format import PairIndexError, PathTable, read_index


class IndexFile:
    """A mapped index file with the data root that its paths are relative to.

    Args:
        path: index file.
        data_root: folder that the index was built from.

    Raises:
        PairIndexError: for a damaged index, or one without pairs.
    """

    def __init__(self, path: Path, data_root: Path) -> None:
        self.path = path
        self.data_root = data_root
        self.header, sections = read_index(path)
        self.pairs, self.images = sections['pairs'], sections['images']
        if not len(self.pairs):
            raise PairIndexError(f'{path}: holds no pairs')
        self.paths = PathTable(sections['names'], sections['name_ends'], self.header['paths'])
        self.reader = reader_of(self.header)
        self._annotations = sections.get('annotations')
        self._annotation_ends = sections.get('annotation_ends')

    def offsets(self, image_id: int) -> np.ndarray | None:
        """Where the annotations of an image begin in the JSON, for indices of COCO files."""
        if self._annotations is None:
            return None
        begin = self._annotation_ends[image_id - 1] if image_id else 0
        return self._annotations[begin : self._annotation_ends[image_id]]

    def label_files(self, image_id: int) -> list[Path]:
        """The files that hold the labels of an image's pairs."""
        label = self.data_root / self.paths.label(image_id)
        if isinstance(self.reader, MaskFileReader):
            return [self.reader.path(label, self.pairs[i]) for i in self.pairs_of(image_id)]
        return [label]

    def pairs_of(self, image_id: int) -> range:
        """The pairs of an image."""
        last = image_id + 1 == len(self.images)
        end = len(self.pairs) if last else int(self.images['first_pair'][image_id + 1])
        return range(int(self.images['first_pair'][image_id]), end)

    def verify(self) -> None:
        """Compare the size of every file with the index; raises for the first that differs."""
        seen: dict[Path, int] = {}
        for image_id, image in enumerate(self.images):
            image_path = self.data_root / self.paths.image(image_id)
            self._compare([image_path], int(image['image_bytes']), {})
            self._compare(self.label_files(image_id), int(image['label_bytes']), seen)

    def _compare(self, files: Sequence[Path], expected: int, seen: dict[Path, int]) -> None:
        found = 0
        for file in files:
            if file not in seen:
                try:
                    seen[file] = file.stat().st_size
                except OSError as error:
                    raise PairIndexError(
                        f'{file}: named by the index {self.path}, but {error.strerror}; is '
                        f'{self.data_root} the folder that the index was built from?'
                    ) from None
            found += seen[file]
        if found != expected:
            raise PairIndexError(
                f'{files[0]}: {found} bytes, but {expected} when the index {self.path} was built; '
                'build the index again, or point it to its own data'
            )
