"""The values in a suite file, each checked for its kind; messages name the place."""

import os
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from semcl_mm.suite import REPOSITORY

__all__ = [
    'find_config',
    'read_commands',
    'read_list',
    'read_mapping',
    'read_options',
    'read_seeds',
    'require_keys',
    'require_name',
]


def require_keys(entry: Any, known: Iterable[str], where: str) -> None:
    """Stops at a key that nothing reads, naming what it may have been meant to be."""
    if not isinstance(entry, Mapping):
        raise ValueError(f'{where}: must be a mapping with {", ".join(known)}, got {entry!r}')
    for key in entry:
        if key not in known:
            near = get_close_matches(str(key), known, n=1)
            hint = f'did you mean {near[0]!r}?' if near else f'there are {", ".join(known)}'
            raise ValueError(f'{where}: unknown key {key!r}; {hint}')


def find_config(text: Any, where: str) -> str:
    """The path of a config, from here or from the checkout.

    Raises:
        ValueError: there is none, with the nearest names.
    """
    for path in (Path(str(text)), REPOSITORY / str(text)):
        if path.is_file():
            return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)
    leaves = (REPOSITORY / 'configs').glob('[!_]*/*.py')
    known = sorted(str(leaf.relative_to(REPOSITORY)) for leaf in leaves)
    near = get_close_matches(str(text), known)
    hint = f'; did you mean {", ".join(near)}?' if near else ''
    raise ValueError(f'{where}: no config {text}{hint}')


def require_name(name: str, where: str) -> str:
    """A name that can be part of a folder's, which must stay in the work dir."""
    if not name or '/' in name or name.startswith('.'):
        raise ValueError(f'{where}: {name!r} cannot be part of the name of a folder')
    return name


def read_seeds(given: Any, where: str) -> tuple[int, ...]:
    """One seed or several different ones."""
    seeds = [given] if isinstance(given, int) else given
    if not isinstance(seeds, (list, tuple, range)) or not all(isinstance(s, int) for s in seeds):
        raise ValueError(f'{where}: seeds must be whole numbers, got {given!r}')
    if any(seed < 0 for seed in seeds):
        raise ValueError(f'{where}: seeds must not be negative, got {given!r}')
    if not seeds or len(set(seeds)) < len(seeds):
        raise ValueError(f'{where}: seeds must be different numbers, at least one; got {given!r}')
    return tuple(seeds)


def read_options(shared: Any, given: Mapping, where: str) -> dict:
    """``--cfg-options`` of an entry over those that it shares with others."""
    own = given.get('options', {})
    return {**read_mapping(shared, f'{where}.options'), **read_mapping(own, f'{where}.options')}


def read_mapping(given: Any, where: str) -> Mapping:
    """A mapping of names, as it is."""
    if not isinstance(given, Mapping):
        raise ValueError(f'{where}: must be a mapping of names, got {given!r}')
    return given


def read_commands(given: Any, where: str) -> tuple[str, ...]:
    """Commands of the project, each a text."""
    commands = read_list(given, where)
    for number, command in enumerate(commands):
        if not isinstance(command, str):
            raise ValueError(f'{where}[{number}]: must be a command, got {command!r}')
    return tuple(commands)


def read_list(given: Any, where: str) -> list:
    """A list; neither a text nor a mapping passes for one."""
    if isinstance(given, (str, Mapping)) or not hasattr(given, '__iter__'):
        raise ValueError(f'{where} must be a list, got {given!r}')
    return list(given)
