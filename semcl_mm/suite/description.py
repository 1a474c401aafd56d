"""What a suite file says: checkpoints x downstream configs x seeds, read and checked key by key."""

import os
import runpy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

__all__ = ['REPOSITORY', 'Block', 'Checkpoint', 'Suite', 'Task', 'read_blocks', 'read_suite']

REPOSITORY = Path(__file__).resolve().parents[2]
WEIGHTS = ('.pth', '.pt', '.tar', '.bin', '.ckpt', '.safetensors', '.npz')
_BLOCK_KEYS = ('checkpoints', 'downstream', 'seeds', 'options', 'pretraining_options')
_SUITE_KEYS = (*_BLOCK_KEYS, 'blocks', 'gpus', 'prepare', 'paper', 'table', 'starts', 'baselines')
_CHECKPOINT_KEYS = ('file', 'config', 'initial', 'start', 'options', 'seed', 'only_start')
_TASK_KEYS = ('config', 'name', 'options', 'tta', 'labels')


@dataclass(frozen=True)
class Checkpoint:
    """What a downstream run starts from.

    Attributes:
        name: Its name in the suite, and in the work dirs.
        kind: ``random`` (the run's own initialisation), ``file``, ``initial`` (a random backbone
            written to a file, so that several runs start from the same) or ``pretraining``.
        source: The file, or the config that makes it.
        start: For a pretraining: the name of another checkpoint that it starts from; None: its own
            initialisation.
        options: ``--cfg-options`` of the pretraining.
        seed: One pretraining with this seed for all downstream seeds; None: one for each.
        where: Its place in the suite file, for messages.
        only_start: Pretrainings start from it and no downstream run does.
    """

    name: str
    kind: str
    source: str = ''
    start: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    seed: int | None = None
    where: str = ''
    only_start: bool = False


@dataclass(frozen=True)
class Task:
    """A downstream config and what differs from it.

    Attributes:
        config: The file.
        name: Its name in work dirs.
        options: ``--cfg-options``.
        tta: Whether it is also tested over scales and flips.
        labels: Share of the training images whose labels it sees; None: all.
        where: Its place in the suite file.
    """

    config: str
    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    tta: bool = False
    labels: float | None = None
    where: str = ''


@dataclass(frozen=True)
class Block:
    """A product: each downstream task from each checkpoint with each seed."""

    checkpoints: Mapping[str, Checkpoint]
    downstream: tuple[Task, ...]
    seeds: tuple[int, ...]


@dataclass(frozen=True)
class Suite:
    """A suite file.

    Attributes:
        name: The file's, without its ending.
        file: Where it lies.
        blocks: What runs; empty where ``paper`` says it.
        gpus: Processes of each run; ``'recipe'`` takes as many as make the config's batch size.
        prepare: Commands of the project that run first (each finds its work done the next time).
        paper, table: The printed table that the suite ends with.
        starts: For a suite that follows a paper: what pretrainings start from, by backbone.
        baselines: The same for rows of the paper that start without our pretraining.
        seeds: For a suite that follows a paper.
        task_seeds: Those of some of its downstream tasks, by config or a part of its name.
    """

    name: str
    file: str
    blocks: tuple[Block, ...]
    gpus: int | str = 1
    prepare: tuple[str, ...] = ()
    paper: str | None = None
    table: str | None = None
    starts: Mapping[str, Any] = field(default_factory=dict)
    baselines: Mapping[str, Any] = field(default_factory=dict)
    seeds: tuple[int, ...] = (0,)
    task_seeds: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


def read_suite(path: str | Path) -> Suite:
    """Reads a suite file, Python or YAML.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a key is unknown or has a value of another kind, or a config or checkpoint
            does not exist; the message names file and key.
    """
    path = Path(path)
    if not path.is_file():
        near = get_close_matches(path.stem, [p.stem for p in (REPOSITORY / 'suites').glob('*.*')])
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
        task_seeds = {key: _seeds(value, f'{where}: seeds.{key}') for key, value in seeds.items()}
        seeds = [0]
    own = {key: content[key] for key in _BLOCK_KEYS if key in content}
    if 'blocks' in content:
        entries = [{**own, **block} for block in _list(content['blocks'], f'{where}: blocks')]
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
        prepare=_commands(content.get('prepare', ()), f'{where}: prepare'),
        paper=paper,
        table=None if table is None else str(table),
        starts=_mapping(content.get('starts', {}), f'{where}: starts'),
        baselines=_mapping(content.get('baselines', {}), f'{where}: baselines'),
        seeds=_seeds(seeds, where),
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
        _mapping(given_checkpoints, f'{place}: checkpoints')
        checkpoints = {
            str(name): _checkpoint(str(name), given, shared, f'{place}: checkpoints.{name}')
            for name, given in given_checkpoints.items()
        }
        for checkpoint in checkpoints.values():
            if checkpoint.start not in (None, 'random', *checkpoints):
                raise ValueError(
                    f'{checkpoint.where}.start: no checkpoint {checkpoint.start!r} in this block; '
                    f'there are {", ".join(checkpoints)}'
                )
        tasks = _list(entry.get('downstream', ()), f'{place}: downstream')
        if not tasks:
            raise ValueError(f'{place}: downstream is empty')
        downstream = tuple(
            _task(given, entry.get('options', {}), f'{place}: downstream[{n}]')
            for n, given in enumerate(tasks)
        )
        blocks.append(Block(checkpoints, downstream, _seeds(entry.get('seeds', [0]), place)))
    return tuple(blocks)


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
    options, seed = _options(shared, given, where), given.get('seed')
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
    options = _options(shared, given, where)
    labels = given.get('labels')
    if labels is not None and not (isinstance(labels, (int, float)) and 0 < labels <= 1):
        raise ValueError(f'{where}.labels: must be a share in (0, 1], got {labels!r}')
    name = given.get('name', Path(config).stem + ('' if labels is None else f'_labels{labels:g}'))
    return Task(config, name, options, bool(given.get('tta', False)), labels, where)


def _seeds(given: Any, where: str) -> tuple[int, ...]:
    seeds = [given] if isinstance(given, int) else given
    if not isinstance(seeds, (list, tuple, range)) or not all(isinstance(s, int) for s in seeds):
        raise ValueError(f'{where}: seeds must be whole numbers, got {given!r}')
    if not seeds or len(set(seeds)) < len(seeds):
        raise ValueError(f'{where}: seeds must be different numbers, at least one; got {given!r}')
    return tuple(seeds)


def _options(shared: Any, given: Mapping, where: str) -> dict:
    own = given.get('options', {})
    return {**_mapping(shared, f'{where}.options'), **_mapping(own, f'{where}.options')}


def _mapping(given: Any, where: str) -> Mapping:
    if not isinstance(given, Mapping):
        raise ValueError(f'{where}: must be a mapping of names, got {given!r}')
    return given


def _commands(given: Any, where: str) -> tuple[str, ...]:
    commands = _list(given, where)
    for number, command in enumerate(commands):
        if not isinstance(command, str):
            raise ValueError(f'{where}[{number}]: must be a command, got {command!r}')
    return tuple(commands)


def _list(given: Any, where: str) -> list:
    if isinstance(given, (str, Mapping)) or not hasattr(given, '__iter__'):
        raise ValueError(f'{where} must be a list, got {given!r}')
    return list(given)
