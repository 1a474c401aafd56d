"""Say which path of a data set is missing, before a library asserts it without naming the key."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ['require_data_paths']


def require_data_paths(dataset: Any, key: str = 'dataset') -> None:
    """Stop at a root, list or folder that a config names and the disk does not have.

    mmseg and mmdet join ``ann_file`` and the entries of ``data_prefix`` to ``data_root``; so does
    this. Object stores (``s3://…``) are not looked at, and what is no config passes.

    Args:
        dataset: Config of a data set, or of a wrapper whose ``dataset`` is one or several.
        key: Where the config stands, for the message.

    Raises:
        FileNotFoundError: With the key and the path.
    """
    if isinstance(dataset, (list, tuple)):
        for number, entry in enumerate(dataset):
            require_data_paths(entry, f'{key}.{number}')
    if not isinstance(dataset, Mapping):
        return
    for inner in ('dataset', 'datasets'):
        require_data_paths(dataset.get(inner), f'{key}.{inner}')
    root = dataset.get('data_root')
    root = root if isinstance(root, str) else ''  # SemCL-IM has several; its data set checks them
    places = {'data_root': root}
    prefixes = dataset.get('data_prefix')
    prefixes = prefixes if isinstance(prefixes, Mapping) else {}
    for name, value in {'ann_file': dataset.get('ann_file'), **prefixes}.items():
        if isinstance(value, str) and value:
            place = name if name == 'ann_file' else f'data_prefix.{name}'
            places[place] = str(Path(root, value)) if '://' not in root + value else ''
    for name, path in places.items():
        if path and '://' not in path and not Path(path).exists():
            raise FileNotFoundError(f'{key}.{name}: {path} does not exist')
