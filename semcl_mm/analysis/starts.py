"""What a run started from, and what repeated runs of one experiment differ in."""

from collections.abc import Iterable
from pathlib import Path

__all__ = ['draw', 'initial_name', 'label_share', 'start_key', 'start_names']


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
    return (
        'random' if source.startswith('random initialisation') else Path(initial['checkpoint']).stem
    )


def start_names(records: Iterable[dict]) -> dict[tuple, str]:
    """What tables and charts call the starts of these runs, by :func:`start_key`.

    Two starts of one name, such as one pretraining config with two sets of options, get the digits
    of their configs' hashes or files behind it.
    """
    names = {start_key(record): initial_name(record) for record in records}
    shown = list(names.values())
    return {
        key: name if shown.count(name) == 1 else f'{name} {(key[1] or "unknown")[:4]}'
        for key, name in names.items()
    }


def start_key(record: dict) -> tuple[str, str | None]:
    """What two runs from the same start have in common, whatever seed the start was made with."""
    initial = record['initialised_from']
    run = {} if isinstance(initial, str) else initial.get('run') or {}
    return initial_name(record), run.get('config_hash')


def label_share(record: dict) -> float:
    """The share of the labels that a run saw."""
    return (record.get('label_subset') or {}).get('fraction', 1.0)


def draw(record: dict) -> tuple:
    """What repeated runs of one experiment differ in: the seed, and that of a subset of labels."""
    return record['seed'], (record.get('label_subset') or {}).get('seed')
