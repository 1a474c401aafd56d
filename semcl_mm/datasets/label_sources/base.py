"""What a data set layout has to tell the builder."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from semcl_mm.datasets.image_files import DataError, read_bytes


class MissingLabel(DataError):
    """An image has no label."""


class Item(NamedTuple):
    """One image of a data set; paths are relative to the root, with forward slashes."""

    image: str
    label: str
    extra: Any = None


@dataclass(frozen=True)
class Candidates:
    """All objects of one image, before small ones are dropped.

    Attributes:
        categories: (R,) classes.
        instances: (R,) numbers inside the image, 0 where the unit is the class.
        areas: (R,) pixels.
        boxes: (R, 4) tight boxes, upper ends exclusive.
        label_bytes: size of the label file; of each object's file where they have their own (R,).
        label_crc: CRC-32 of the label file, 0 where objects have files of their own.
        checks: (R,) low half of the CRC-32 of each object's own data, or None.
        skipped: how many objects were dropped already, by reason.
        class_names: names of classes that only the labels tell.
        offsets: positions of the image's annotations in its label file, or None.
    """

    categories: np.ndarray
    instances: np.ndarray
    areas: np.ndarray
    boxes: np.ndarray
    label_bytes: int | np.ndarray
    label_crc: int = 0
    checks: np.ndarray | None = None
    skipped: Counter = field(default_factory=Counter)
    class_names: Mapping[int, str] = field(default_factory=dict)
    offsets: Sequence[int] | None = None


@dataclass(kw_only=True)
class LabelSource:
    """A data set of one layout.

    Attributes:
        layout: name of the layout.
        root: folder of the data set.
        unit: 'class', 'instance' or 'component'.
        class_names: by class number; the builder appends what only the labels tell.
        items: the images, in the order of the index.
        options: further choices that led to this selection, kept in the header.
        skipped: images that the listing left out, by reason.
    """

    layout: str
    root: Path
    unit: str
    class_names: tuple[str, ...]
    items: list[Item]
    options: dict = field(default_factory=dict)
    skipped: Counter = field(default_factory=Counter)

    def candidates(self, item: Item, width: int, height: int) -> Candidates:
        """All objects of an image of this size.

        Raises:
            MissingLabel: where the image has no label.
            DataError: for a label that is damaged, of another size, or holds unknown values.
        """
        raise NotImplementedError

    def label_header(self) -> dict:
        """How an index reader finds the masks again, see ``label_reader.reader_of``."""
        raise NotImplementedError


def read_label_file(label: Path, image: Path) -> bytes:
    """The bytes of a label; ``MissingLabel`` names the image where there is none."""
    if not label.is_file():
        raise MissingLabel(f'{image}: has no label {label}; --allow-missing skips and counts it')
    return read_bytes(label)
