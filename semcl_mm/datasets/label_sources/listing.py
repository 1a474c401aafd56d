"""Finding the images and labels of a data set, and pairing them by name."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from semcl_mm.datasets.image_files import DataError
from semcl_mm.datasets.label_sources.base import Item


def need_folder(folder: Path, hint: str) -> Path:
    """A folder that must be there; ``hint`` says what ROOT should be."""
    if not folder.is_dir():
        raise DataError(f'{folder}: no such folder; {hint}')
    return folder


def list_files(folder: Path, suffixes: Sequence[str]) -> dict[str, str]:
    """Files below a folder by name without suffix, e.g. ``{'aachen/a': 'aachen/a.png'}``.

    Raises:
        DataError: where two files differ in their suffix alone.
    """
    found: dict[str, str] = {}
    lowered = tuple(suffix.lower() for suffix in suffixes)
    for path in folder.rglob('*'):
        if path.name.startswith('.') or not path.name.lower().endswith(lowered):
            continue
        name = path.relative_to(folder).as_posix()
        suffix = max((s for s in lowered if name.lower().endswith(s)), key=len)
        stem = name[: len(name) - len(suffix)]
        if stem in found:
            raise DataError(f'{folder}: {found[stem]} and {name} have the same name; keep one')
        found[stem] = name
    return dict(sorted(found.items()))


def pair_files(
    images: dict[str, str],
    labels: dict[str, str],
    image_folder: str,
    label_folder: str,
    label_suffix: str = '.png',
) -> tuple[list[Item], list[str]]:
    """Items of all images, and the labels that have no image.

    An image without label becomes an item whose label file does not exist, so that the builder
    decides (and counts) in one place.
    """
    items = [
        Item(f'{image_folder}/{name}', f'{label_folder}/{labels.get(stem, stem + label_suffix)}')
        for stem, name in images.items()
    ]
    return items, [f'{label_folder}/{name}' for stem, name in labels.items() if stem not in images]


def refuse_orphans(orphans: list[str], root: Path, allow_missing: bool) -> Counter:
    """Count labels without image, or stop at the first."""
    if orphans and not allow_missing:
        raise DataError(
            f'{root / orphans[0]}: label without image ({len(orphans)} in all); '
            '--allow-missing skips and counts them'
        )
    return Counter({'label without image': len(orphans)} if orphans else {})


def read_list(path: Path) -> list[list[str]]:
    """The words of each line of a list file that is not empty."""
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f'{path}: list cannot be read ({error})') from None
    rows = [line.split() for line in lines if line.strip()]
    if not rows:
        raise DataError(f'{path}: the list is empty')
    name, count = Counter(row[-1] for row in rows).most_common(1)[0]
    if count > 1:
        raise DataError(f'{path}: {name} is listed {count} times')
    return rows


def read_class_names(path: Path) -> tuple[str, ...]:
    """Class names, one a line, in the order of their numbers."""
    try:
        names = tuple(path.read_text().splitlines())
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f'{path}: class names cannot be read ({error})') from None
    names = tuple(name.strip() for name in names if name.strip())
    if not names:
        raise DataError(f'{path}: no class names in this file')
    return names
