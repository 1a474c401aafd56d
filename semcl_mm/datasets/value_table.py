"""What the raw values of a label map mean: a class, something ignored, or an error."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

IGNORED = -1
UNKNOWN = -2


class ValueRange(NamedTuple):
    """``count`` raw values from ``first`` on; value ``first + k`` is class ``category + step * k``.

    ``step`` 0 sends the whole range to one class (Cityscapes instances: id * 1000 + n).
    """

    first: int
    category: int
    count: int = 1
    step: int = 1


@dataclass(frozen=True)
class ValueTable:
    """Maps raw label values to classes.

    Attributes:
        classes: ranges of raw values that are classes.
        ignored: (first, count) ranges of raw values that are no class and no error.
    """

    classes: tuple[ValueRange, ...]
    ignored: tuple[tuple[int, int], ...] = ()

    @classmethod
    def dense(cls, num_classes: int, ignored: Iterable[int]) -> 'ValueTable':
        """Values 0..num_classes-1 are the classes of the same number, but for the ignored."""
        dropped = sorted(set(ignored))
        inside = [value for value in dropped if 0 <= value < num_classes]
        ranges = []
        for begin, end in zip([-1, *inside], [*inside, num_classes], strict=True):
            if end - begin > 1:
                ranges.append(ValueRange(begin + 1, begin + 1, end - begin - 1))
        return cls(tuple(ranges), tuple((value, 1) for value in dropped))

    @classmethod
    def from_json(cls, data: dict) -> 'ValueTable':
        """The inverse of :meth:`to_json`."""
        classes = tuple(ValueRange(*row) for row in data['classes'])
        return cls(classes, tuple((first, count) for first, count in data['ignored']))

    def to_json(self) -> dict:
        """Plain lists, for the header of an index."""
        return {
            'classes': [list(row) for row in self.classes],
            'ignored': [list(row) for row in self.ignored],
        }

    @property
    def is_identity(self) -> bool:
        """Whether every class has its own number as raw value."""
        return all(row.first == row.category and row.step == 1 for row in self.classes)

    def classify(self, values: np.ndarray) -> np.ndarray:
        """The class of each raw value; ``IGNORED`` or ``UNKNOWN`` where there is none.

        Args:
            values: (N,) raw values of any integer type.

        Returns:
            (N,) int32.
        """
        values = values.astype(np.int64)
        categories = np.full(values.shape, UNKNOWN, dtype=np.int32)
        for first, count in self.ignored:
            categories[(values >= first) & (values < first + count)] = IGNORED
        for first, category, count, step in self.classes:
            inside = (values >= first) & (values < first + count)
            categories[inside] = category + step * (values[inside] - first)
        return categories
