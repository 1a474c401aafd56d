"""Checks of arguments: one message that says which, what it must be, and what it is."""

from __future__ import annotations

from torch import Tensor

__all__ = ['check_choice', 'check_positive', 'check_shapes']


def check_positive(**values: float) -> None:
    """Raise ``ValueError`` unless every value is greater than zero (NaN is not)."""
    for name, value in values.items():
        if not value > 0:
            raise ValueError(f'{name} must be positive, got {value}')


def check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    """Raise ``ValueError`` unless ``value`` is one of ``choices``."""
    if value not in choices:
        raise ValueError(f'{name} must be one of {", ".join(choices)}; got {value!r}')


def check_shapes(**expected: tuple[Tensor | None, str]) -> dict[str, int]:
    """Bind letters to sizes, argument by argument, and stop where one does not fit.

    ``check_shapes(query=(query, 'N C'), key=(key, 'N C'))`` returns ``{'N': 4, 'C': 8}`` or raises
    ``key must be (N, C) with N=4, C=8, got (3, 8)``. A digit stands for itself, None is skipped.

    Args:
        expected: For each argument the tensor and its dimensions, separated by spaces.

    Returns:
        The size of each letter.

    Raises:
        ValueError: Naming the argument, what it should be and its shape.
    """
    sizes: dict[str, int] = {}
    for name, (tensor, letters) in expected.items():
        if tensor is None:
            continue
        letters, shape = letters.split(), tuple(tensor.shape)
        bound = dict(sizes)
        fits = len(shape) == len(letters) and all(
            size == (int(letter) if letter.isdigit() else bound.setdefault(letter, size))
            for letter, size in zip(letters, shape, strict=True)
        )
        if not fits:
            known = ', '.join(f'{x}={sizes[x]}' for x in dict.fromkeys(letters) if x in sizes)
            raise ValueError(
                f'{name} must be ({", ".join(letters)})'
                + (f' with {known}' if known else '')
                + f', got {shape}'
            )
        sizes = bound
    return sizes
