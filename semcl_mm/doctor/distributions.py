"""What is installed, and what this project asks for, from metadata alone."""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet

PACKAGE = 'semcl-mm'
UNREADABLE = '(unreadable)'


@dataclass(frozen=True)
class Installed:
    """One name among the installed distributions; two versions mean a half-removed package."""

    name: str
    versions: tuple[str, ...]
    requires: tuple[str, ...]

    @property
    def version(self) -> str:
        return self.versions[0]


class Wanted(NamedTuple):
    """A requirement; ``extra`` is '' where nothing has to be chosen for it."""

    name: str
    specifier: SpecifierSet
    extra: str


def canonical(name: str) -> str:
    """The name as package indexes compare it."""
    return re.sub(r'[-_.]+', '-', name).lower()


def read_distributions() -> dict[str, Installed]:
    """What is installed, by canonical name; the version of a half-written one is ``UNREADABLE``."""
    found: dict[str, Installed] = {}
    for distribution in importlib.metadata.distributions():
        try:
            name, version = distribution.metadata['Name'], distribution.version
            requires = tuple(distribution.requires or ())
        except Exception:  # without METADATA: which error depends on Python's version
            name = None
        if not name or not version:
            folder = Path(str(getattr(distribution, '_path', 'unknown'))).name
            name, version, requires = folder.split('-')[0], UNREADABLE, ()
        name = canonical(name)
        known = found.get(name, Installed(name, (), requires))
        versions = tuple(dict.fromkeys((*known.versions, version)))
        found[name] = Installed(name, versions, known.requires)
    return found


def fits(specifier: SpecifierSet, version: str) -> bool:
    """Does the version lie in the range? One that is no version does not."""
    try:
        return specifier.contains(version, prereleases=True)
    except ValueError:
        return False


def show_range(specifier: SpecifierSet) -> str:
    """``>=2.2,<2.3``: the lower end first."""
    return ','.join(sorted(map(str, specifier), reverse=True)) or 'any'


def parse_requirements(lines: Iterable[str], extras: Iterable[str] = ('',)) -> list[Wanted]:
    """Those that apply here, with the first extra that asks for them; [] without ``packaging``."""
    try:
        from packaging.requirements import InvalidRequirement, Requirement
    except ImportError:
        try:
            from pip._vendor.packaging.requirements import InvalidRequirement, Requirement
        except ImportError:
            return []
    applying = []
    for line in lines:
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            continue  # of another package; pip names it when that is installed
        for extra in extras:
            if requirement.marker is None or requirement.marker.evaluate({'extra': extra}):
                name = canonical(requirement.name)
                applying.append(Wanted(name, requirement.specifier, extra))
                break
    return applying


def own_requirements(installed: dict[str, Installed]) -> list[Wanted]:
    """What this project asks for, with the ranges that were tried."""
    own = installed.get(PACKAGE)
    if own is None:
        return []
    declared = re.compile(r'extra\s*==\s*[\'"]([\w-]+)')
    extras = ['', *dict.fromkeys(e for line in own.requires for e in declared.findall(line))]
    wanted = parse_requirements(own.requires, extras)
    return [entry for entry in wanted if entry.name != PACKAGE]


def pins(installed: dict[str, Installed]) -> Callable[[str], str]:
    """A function from a distribution's name to what ``pip install`` is given for it."""
    ranges = {name: show_range(specifier) for name, specifier, _ in own_requirements(installed)}
    return lambda name: f'"{name}{ranges.get(name, "any").replace("any", "")}"'


def reinstall(pin: str) -> str:
    """The pip command that brings a distribution back without touching others."""
    return f'pip install --no-deps --no-build-isolation --force-reinstall {pin}'
