"""What a load did, key by key."""

from collections import Counter
from dataclasses import dataclass, field
from textwrap import shorten

_SHOWN = 12


@dataclass
class LoadReport:
    """What became of each tensor of a file and of a backbone.

    Attributes:
        path: The file.
        source_format: ``method:family/library`` as found, e.g. ``moco-v3:swin/official``.
        loaded: Keys of the backbone whose values are now the file's.
        missing: Keys that the backbone needs and the file lacks.
        fresh: Norms behind earlier stages, which dense tasks add: no checkpoint has them, so
            they do not count.
        unexpected: Keys of the file that the backbone has no place for.
        mismatched: Key to (shape in the file, shape in the backbone).
        deeper: Sequence of blocks to (blocks in the file, blocks in the backbone) where the file
            has more: a ResNet-101 covers every tensor of a ResNet-50 and is none.
        resized: Key to (shape in the file, shape after interpolation).
        skipped: How many tensors other parts of the file held (projector, optimiser's copy, head).
        not_finite: Loaded keys whose values are not all finite.
    """

    path: str
    source_format: str
    loaded: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    fresh: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    mismatched: dict[str, tuple] = field(default_factory=dict)
    deeper: dict[str, tuple[int, int]] = field(default_factory=dict)
    resized: dict[str, tuple] = field(default_factory=dict)
    skipped: Counter = field(default_factory=Counter)
    not_finite: list[str] = field(default_factory=list)

    @property
    def required(self) -> int:
        """How many tensors of the backbone should come from the file."""
        return len(self.loaded) + len(self.missing) + len(self.mismatched)

    @property
    def coverage(self) -> float:
        """Share of the required tensors that were loaded, in [0, 1]."""
        return len(self.loaded) / max(self.required, 1)

    @property
    def complete(self) -> bool:
        """Whether file and backbone hold the same tensors of the same shapes."""
        exact = not (self.resized or self.deeper or self.unexpected)
        return self.required > 0 and self.coverage == 1 and exact

    def summary(self) -> str:
        """One line."""
        parts = [
            f'{len(self.loaded)}/{self.required} tensors of the backbone '
            f'({100 * self.coverage:.1f} %) from {self.path} ({self.source_format})'
        ]
        if self.resized:
            parts.append(f'{len(self.resized)} interpolated')
        if self.fresh:
            parts.append(f'{len(self.fresh)} output norms stay fresh')
        if self.skipped:
            others = ', '.join(f'{name} {count}' for name, count in sorted(self.skipped.items()))
            parts.append(f'not used: {shorten(others, 200)}')
        return '; '.join(parts)

    def details(self) -> str:
        """Every list of keys that is not empty, shortened."""

        def shapes(pairs: dict[str, tuple], words: str) -> list[str]:
            return [f'{key}: {words.format(*pair)}' for key, pair in pairs.items()]

        lists = {
            'missing in the file': self.missing,
            'deeper in the file': shapes(self.deeper, '{} blocks in the file, {} in the backbone'),
            'of another shape': shapes(self.mismatched, '{} in the file, {} in the backbone'),
            'interpolated': shapes(self.resized, '{} -> {}'),
            'in the file, not in the backbone': self.unexpected,
            'not finite': self.not_finite,
        }
        return '\n'.join(f'{name}{_listed(keys)}' for name, keys in lists.items() if keys)

    def __str__(self) -> str:
        return '\n'.join(filter(None, [self.summary(), self.details()]))


def _listed(keys: list[str]) -> str:
    shown = ''.join(f'\n  {key}' for key in keys[:_SHOWN])
    more = f'\n  … and {len(keys) - _SHOWN} more' if len(keys) > _SHOWN else ''
    return f' ({len(keys)}):{shown}{more}'
