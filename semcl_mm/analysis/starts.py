"""What a run started from, and what repeated runs of one experiment differ in."""

import re
from collections.abc import Iterable
from pathlib import Path

__all__ = ['draw', 'initial_name', 'label_share', 'start_key', 'start_names']

RANDOM = 'random initialisation'  # how the source of such weights begins


def initial_name(record: dict, config: bool = True) -> str:
    """What a run started from: a method and its config, a file, or 'random'.

    Args:
        record: A run record.
        config: Name the config of the pretraining, not its method alone.
    """
    initial = record['initialised_from']
    if isinstance(initial, str):
        return initial
    run = initial.get('run')
    if run:
        return f'{run["algorithm"]} ({Path(run["config"]).stem})' if config else run['algorithm']
    source = initial.get('source') or ''
    return 'random' if source.startswith(RANDOM) else Path(initial['checkpoint']).stem


def start_names(records: Iterable[dict]) -> dict[tuple, str]:
    """What tables and charts call the starts of these runs, by :func:`start_key`.

    Two starts of one name are told apart behind it: two pretrainings by one config with two sets of
    options by the digits of the configs' hashes, random weights by the config that drew them.
    """
    names = {start_key(record): initial_name(record) for record in records}
    shown = list(names.values())
    return {
        key: name if shown.count(name) == 1 else _told_apart(*key) for key, name in names.items()
    }


def _told_apart(name: str, origin: str | None) -> str:
    if name != 'random':
        return f'{name} {(origin or "unknown")[:4]}'
    return f'random ({origin})' if origin else name


def start_key(record: dict) -> tuple[str, str | None]:
    """What two runs from the same start have in common, whatever seed the start was made with.

    Returns:
        Its name; and the hash of the pretraining's config, for random weights in a file the config
        that drew them (``folder/name`` and its options) or None where nothing is known of it.
    """
    initial, name = record['initialised_from'], initial_name(record)
    if isinstance(initial, str):
        return name, None
    if name == 'random':
        found = re.fullmatch(rf'{RANDOM} of (.+)\.py, seed \d+(.*)', initial['source'])
        return name, '/'.join(Path(found[1]).parts[-2:]) + found[2] if found else None
    return name, (initial.get('run') or {}).get('config_hash')


def label_share(record: dict) -> float:
    """The share of the labels that a run saw."""
    return (record.get('label_subset') or {}).get('fraction', 1.0)


def draw(record: dict) -> tuple:
    """What repeated runs of one experiment differ in: the seed, and that of a subset of labels."""
    return record['seed'], (record.get('label_subset') or {}).get('seed')
