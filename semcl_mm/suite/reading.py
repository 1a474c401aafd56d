"""Reads a suite file, Python or YAML, key by key."""

import runpy
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from semcl_mm.suite import REPOSITORY
from semcl_mm.suite.description import Block, Checkpoint, Suite, Task
from semcl_mm.suite.values import (
    find_config,
    read_commands,
    read_list,
    read_mapping,
    read_options,
    read_seeds,
    require_keys,
    require_name,
)

__all__ = ['read_blocks', 'read_suite']

WEIGHTS = ('.pth', '.pt', '.tar', '.bin', '.ckpt', '.safetensors', '.npz')
_BLOCK_KEYS = ('checkpoints', 'downstream', 'seeds', 'options', 'pretraining_options')
_SUITE_KEYS = (*_BLOCK_KEYS, 'blocks', 'gpus', 'data', 'prepare')
_SUITE_KEYS += ('paper', 'table', 'starts', 'baselines')
_CHECKPOINT_KEYS = ('file', 'config', 'initial', 'start', 'options', 'seed', 'only_start')
_TASK_KEYS = ('config', 'name', 'options', 'tta', 'labels')


def read_suite(path: str | Path) -> Suite:
    """Reads a suite file, Python or YAML.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a key is unknown or has a value of another kind, or a config or checkpoint
            does not exist; the message names file and key.
    """
    path = Path(path)
    if not path.is_file():
        known = [p.name for p in (REPOSITORY / 'suites').glob('*.*')]
        near = get_close_matches(f'{path.stem}{path.suffix or ".py"}', known)
        hint = f'; did you mean {", ".join(f"suites/{n}" for n in near)}?' if near else ''
        raise FileNotFoundError(f'no suite file {path}{hint}')
    content = _load(path)
    where = str(path)
    require_keys(content, _SUITE_KEYS, where)
    paper, table = content.get('paper'), content.get('table')
    if (paper is None) != (table is None):
        raise ValueError(f'{where}: paper and table belong together')
    gpus = content.get('gpus', 1)
    if gpus != 'recipe' and not (isinstance(gpus, int) and gpus > 0):
        raise ValueError(f"{where}: gpus must be a positive number or 'recipe', got {gpus!r}")
    seeds, task_seeds = content.get('seeds', [0]), {}
    if isinstance(seeds, Mapping) and paper is not None:
        task_seeds = {
            key: read_seeds(value, f'{where}: seeds.{key}') for key, value in seeds.items()
        }
        seeds = [0]
    own = {key: content[key] for key in _BLOCK_KEYS if key in content}
    if 'blocks' in content:
        entries = [{**own, **block} for block in read_list(content['blocks'], f'{where}: blocks')]
        blocks = read_blocks(entries, where, numbered=True)
    elif 'downstream' in content:
        blocks = read_blocks([own], where, numbered=False)
    elif paper is not None:
        blocks = ()
    else:
        raise ValueError(f'{where}: nothing to run; give downstream, blocks, or paper and table')
    return Suite(
        name=path.stem,
        file=where,
        blocks=blocks,
        gpus=gpus,
        data=read_mapping(content.get('data', {}), f'{where}: data'),
        prepare=read_commands(content.get('prepare', ()), f'{where}: prepare'),
        paper=paper,
        table=None if table is None else str(table),
        starts=read_mapping(content.get('starts', {}), f'{where}: starts'),
        baselines=read_mapping(content.get('baselines', {}), f'{where}: baselines'),
        seeds=read_seeds(seeds, where),
        task_seeds=task_seeds,
    )


def read_blocks(entries: Iterable[Mapping], where: str, numbered: bool = True) -> tuple[Block, ...]:
    """Reads blocks; ``where`` names their file in messages."""
    blocks = []
    for number, entry in enumerate(entries):
        place = f'{where}: blocks[{number}]' if numbered else where
        require_keys(entry, _BLOCK_KEYS, place)
        shared = entry.get('pretraining_options', {})
        given_checkpoints = entry.get('checkpoints', {'random': 'random'})
        read_mapping(given_checkpoints, f'{place}: checkpoints')
        checkpoints = {
            require_name(str(name), f'{place}: checkpoints'): _checkpoint(
                str(name), given, shared, f'{place}: checkpoints.{name}'
            )
            for name, given in given_checkpoints.items()
        }
        for checkpoint in checkpoints.values():
            if checkpoint.start not in (None, 'random', *checkpoints):
                raise ValueError(
                    f'{checkpoint.where}.start: no checkpoint {checkpoint.start!r} in this block; '
                    f'there are {", ".join(checkpoints)}'
                )
        tasks = read_list(entry.get('downstream', ()), f'{place}: downstream')
        if not tasks:
            raise ValueError(f'{place}: downstream is empty')
        downstream = tuple(
            _task(given, entry.get('options', {}), f'{place}: downstream[{n}]')
            for n, given in enumerate(tasks)
        )
        blocks.append(Block(checkpoints, downstream, read_seeds(entry.get('seeds', [0]), place)))
    return tuple(blocks)


def _load(path: Path) -> dict:
    if path.suffix in ('.yaml', '.yml'):
        try:
            return yaml.safe_load(path.read_text()) or {}
        except yaml.YAMLError as error:
            raise ValueError(f'{path}: no YAML: {error}') from error
    if path.suffix != '.py':
        raise ValueError(f'{path}: a suite is a .py or .yaml file')
    try:
        content = runpy.run_path(str(path))
    except (Exception, SystemExit) as error:  # whatever it is, it is in the user's file
        raise ValueError(f'{path}: cannot be read: {type(error).__name__}: {error}') from error
    return {key: value for key, value in content.items() if not key.startswith('_')}


def _checkpoint(name: str, given: Any, shared: Mapping, where: str) -> Checkpoint:
    if given == 'random':
        return Checkpoint(name, 'random', where=where)
    if isinstance(given, str):
        given = {'file' if given.endswith(WEIGHTS) else 'config': given}
    require_keys(given, _CHECKPOINT_KEYS, where)
    kinds = [key for key in ('file', 'config', 'initial') if key in given]
    if len(kinds) != 1:
        raise ValueError(f"{where}: give 'random' or one of file, config, initial; got {given!r}")
    options, seed = read_options(shared, given, where), given.get('seed')
    if seed is not None and not isinstance(seed, int):
        raise ValueError(f'{where}.seed: must be a whole number, got {seed!r}')
    only_start = bool(given.get('only_start', False))
    if kinds == ['file']:
        if not Path(str(given['file'])).is_file():
            raise ValueError(f'{where}: no checkpoint {given["file"]}')
        return Checkpoint(name, 'file', given['file'], where=where, only_start=only_start)
    source = find_config(given[kinds[0]], where)
    if kinds == ['initial']:
        return Checkpoint(name, 'initial', source, seed=seed, where=where, only_start=only_start)
    start = given.get('start')
    return Checkpoint(name, 'pretraining', source, start, options, seed, where, only_start)


def _task(given: Any, shared: Mapping, where: str) -> Task:
    given = {'config': given} if isinstance(given, str) else given
    require_keys(given, _TASK_KEYS, where)
    if 'config' not in given:
        raise ValueError(f'{where}: config is missing')
    config = find_config(given['config'], where)
    options = read_options(shared, given, where)
    labels = given.get('labels')
    if labels is not None and not (isinstance(labels, (int, float)) and 0 < labels <= 1):
        raise ValueError(f'{where}.labels: must be a share in (0, 1], got {labels!r}')
    name = given.get('name', Path(config).stem + ('' if labels is None else f'_labels{labels:g}'))
    require_name(str(name), f'{where}.name')
    return Task(config, name, options, bool(given.get('tta', False)), labels, where)
