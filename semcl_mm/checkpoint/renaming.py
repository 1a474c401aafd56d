"""Key maps that are written once and read in both directions.

A map is a list of pairs of templates. ``{i}`` stands for a number and must agree on both sides,
``{rest}`` for the remainder of the key. A template may calculate: ``{2i+1}`` in
``features.{2i+1}.{j}`` is what torchvision calls stage ``i`` of a Swin Transformer.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property

import torch

Numbers = dict[str, int]
State = dict[str, torch.Tensor]

_FIELD = re.compile(r'\{(?:(?P<factor>\d*)(?P<name>[a-zA-Z])(?P<offset>[+-]\d+)?|(?P<rest>rest))\}')


@dataclass(frozen=True)
class Template:
    """One side of a rename, such as ``layers.{i+1}.downsample.{rest}``."""

    text: str

    @cached_property
    def _fields(self) -> list[re.Match]:
        return list(_FIELD.finditer(self.text))

    @cached_property
    def _pattern(self) -> re.Pattern:
        pieces, position = [], 0
        for found in self._fields:
            pieces.append(re.escape(self.text[position : found.start()]))
            pieces.append(r'(.+)' if found['rest'] else r'(\d+)')
            position = found.end()
        return re.compile(''.join([*pieces, re.escape(self.text[position:])]))

    def match(self, key: str) -> tuple[Numbers, str] | None:
        """Reads a key.

        Args:
            key: A name in a state dict.

        Returns:
            The numbers by name and the remainder, or None where the key has another form.
        """
        found = self._pattern.fullmatch(key)
        if found is None:
            return None
        numbers, rest = {}, ''
        for piece, text in zip(self._fields, found.groups(), strict=True):
            if piece['rest']:
                rest = text
                continue
            number, remainder = divmod(
                int(text) - int(piece['offset'] or 0), int(piece['factor'] or 1)
            )
            if remainder or number < 0 or numbers.setdefault(piece['name'], number) != number:
                return None
        return numbers, rest

    def format(self, numbers: Numbers, rest: str) -> str:
        """Writes a key; the inverse of :meth:`match`."""

        def value(piece: re.Match) -> str:
            if piece['rest']:
                return rest
            factor, offset = int(piece['factor'] or 1), int(piece['offset'] or 0)
            return str(factor * numbers[piece['name']] + offset)

        return _FIELD.sub(value, self.text)


@dataclass(frozen=True)
class Rename:
    """A pair of templates, and what happens to the numbers in the tensor.

    Args:
        theirs: The foreign name.
        ours: mmpretrain's name.
        to_ours: Reorders a foreign tensor into our layout; None keeps it.
        to_theirs: The inverse of ``to_ours``.
    """

    theirs: Template
    ours: Template
    to_ours: Callable[[torch.Tensor], torch.Tensor] | None = None
    to_theirs: Callable[[torch.Tensor], torch.Tensor] | None = None


@dataclass
class Renamed:
    """What became of a state dict.

    Attributes:
        state: The tensors under their new names.
        unknown: Names that no rule knows; their tensors are not in ``state``.
    """

    state: State
    unknown: list[str] = field(default_factory=list)


def rename(theirs: str, ours: str, to_ours=None, to_theirs=None) -> Rename:
    """A :class:`Rename` from two template texts."""
    return Rename(Template(theirs), Template(ours), to_ours, to_theirs)


def apply_renames(
    state: State, renames: Iterable[Rename], reverse: bool = False, last: int | None = None
) -> Renamed:
    """Renames every key by the first rule that knows it.

    Args:
        state: Tensors by name. It is not changed.
        renames: The rules, in order.
        reverse: From our names to theirs.
        last: What ``{L}``, the index of the last stage, stands for. A rule whose side holds
            another number at this place does not apply.

    Returns:
        The renamed tensors and the names that no rule knows.

    Raises:
        ValueError: If two keys become one.
    """
    result = Renamed({})
    renames = list(renames)
    for key, value in state.items():
        for rule in renames:
            source, target = (rule.ours, rule.theirs) if reverse else (rule.theirs, rule.ours)
            found = source.match(key)
            if found is None or found[0].get('L', last) != last:
                continue
            name = target.format({**found[0], **({} if last is None else {'L': last})}, found[1])
            if name in result.state:
                raise ValueError(f'two keys become {name!r}; the second is {key!r}')
            change = rule.to_theirs if reverse else rule.to_ours
            result.state[name] = value if change is None else change(value)
            break
        else:
            result.unknown.append(key)
    return result
