"""Say which path of a data set is missing, before a library asserts it without naming the key."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ['require_data_paths']


def require_data_paths(dataset: Any, key: str, joined: bool = True) -> None:
    """Stop at a root, list, index or folder that a config names and the disk does not have.

    mmseg and mmdet join ``ann_file`` and the entries of ``data_prefix`` to ``data_root``; so does
    this. Object stores (``s3://…``) are not looked at, and what is no config passes.

    Args:
        dataset: Config of a data set, of a wrapper whose ``dataset`` is one or several, or of one
            whose ``images`` or ``frames`` say where they are.
        key: Where the config stands, for the message.
        joined: Whether ``ann_file`` is below ``data_root``; sources of images and frames name it
            in full.

    Raises:
        FileNotFoundError: With the key and the path.
    """
    if isinstance(dataset, (list, tuple)):
        for number, entry in enumerate(dataset):
            require_data_paths(entry, f'{key}.{number}', joined)
    if not isinstance(dataset, Mapping):
        return
    for inner in ('dataset', 'datasets', 'images', 'frames'):
        require_data_paths(dataset.get(inner), f'{key}.{inner}', inner.startswith('dataset'))
    places = _numbered('data_root', dataset) | _numbered('index', dataset)
    root = dataset.get('data_root')
    root = root if isinstance(root, str) and joined else ''
    prefixes = dataset.get('data_prefix')
    prefixes = prefixes if isinstance(prefixes, Mapping) else {}
    for name, value in {'ann_file': dataset.get('ann_file'), **prefixes}.items():
        if isinstance(value, str) and value:
            place = name if name == 'ann_file' else f'data_prefix.{name}'
            places[place] = str(Path(root, value)) if '://' not in root + value else ''
    for name, path in places.items():
        if path and '://' not in path and not Path(path).exists():
            raise FileNotFoundError(f'{key}.{name}: {path} does not exist')


def _numbered(name: str, dataset: Mapping) -> dict[str, str]:
    """The path or paths of an entry, by dotted key; what is no path is left to its data set."""
    value = dataset.get(name)
    entries = {f'{name}.{n}': v for n, v in enumerate(value)} if isinstance(value, list) else {}
    return {key: path for key, path in ({name: value} | entries).items() if isinstance(path, str)}
