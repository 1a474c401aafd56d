"""What the configs of a suite say, read before anything runs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import DATASETS

from semcl_mm.analysis.provenance import config_hash
from semcl_mm.engine.command_line import train_config
from semcl_mm.engine.options import train_parser
from semcl_mm.engine.run_record import AVERAGED
from semcl_mm.suite.cells import Cell

__all__ = [
    'Facts',
    'expected_record',
    'label_words',
    'merged_config',
    'option_words',
    'read_facts',
]


@dataclass(frozen=True)
class Facts:
    """What the merged config of a cell says.

    Attributes:
        config_hash: Names the experiment; a record of the cell must have it.
        algorithm: Class of the model.
        pairs_of: Data set of the pairs of a pretraining.
        paper_cell: Cell of a paper, if any.
        processes: How many make the batch size of the recipe; None where none does.
        expected_start: What the paper's pretraining began with, where the config says it.
        backbone: Config of the model's backbone, if it has one.
    """

    config_hash: str
    algorithm: str
    pairs_of: str | None
    paper_cell: dict | None
    processes: int | None
    expected_start: str | None = None
    backbone: Mapping[str, Any] | None = None


def read_facts(cells: Iterable[Cell]) -> dict[str, Facts]:
    """Reads the config of every cell, with its options merged; by name of the cell.

    Raises:
        ValueError: a config cannot be read or has no such key, naming the place in the suite.
    """
    known: dict[str, Facts] = {}
    by_name = {}
    for cell in cells:
        key = f'{cell.config} {_words(cell)}'
        if key not in known:
            known[key] = _read(cell)
        by_name[cell.name] = known[key]
    return by_name


def merged_config(cell: Cell) -> Config:
    """The config of a cell with its options.

    Raises:
        ValueError: it cannot be read or has no such key, naming the place in the suite.
    """
    args = train_parser().parse_args(_words(cell))
    try:
        return train_config(args)
    except (ValueError, FileNotFoundError) as error:
        text = str(error).replace('--cfg-options ', 'options.')
        raise ValueError(f'{cell.where}: {cell.config}: {text}') from error


def _read(cell: Cell) -> Facts:
    cfg = merged_config(cell)
    if cell.kind == 'downstream' and cfg.get('val_cfg') is None:
        raise ValueError(f'{cell.where}: {cell.config} is a pretraining, which measures nothing')
    if cell.tta and 'tta_pipeline' not in cfg:
        raise ValueError(f'{cell.where}.tta: {cell.config} has no tta_pipeline')
    if cell.labels is not None:
        subset = cfg.train_dataloader.dataset
        wrapper, dataset = (
            DATASETS.get(kind) if isinstance(kind, str) else kind
            for kind in (subset.type, subset.dataset.type)
        )
        if not wrapper.takes(dataset):
            raise ValueError(f'{cell.where}.labels: {cell.config} is no segmentation')
    start = cfg.get('load_from')
    if start and '://' not in start and not Path(start).is_file():
        raise ValueError(f'{cell.where}: load_from: no checkpoint {start}')
    batch = cfg.train_dataloader.batch_size * cfg.optim_wrapper.get('accumulative_counts', 1)
    recipe = cfg.get('auto_scale_lr', {}).get('base_batch_size', batch)
    paper_cell = cfg.get('paper_cell')
    return Facts(
        config_hash=config_hash(cfg),
        algorithm=getattr(cfg.model.type, '__name__', str(cfg.model.type)),
        pairs_of=cfg.get('pairs_of'),
        expected_start=cfg.get('expected_start'),
        backbone=cfg.model.get('backbone'),
        paper_cell=paper_cell.to_dict() if paper_cell else None,
        processes=recipe // batch if recipe % batch == 0 else None,
    )


def option_words(options: Mapping[str, Any], where: str = '') -> list[str]:
    """``--cfg-options`` as words of a command line.

    Raises:
        ValueError: the options are no mapping, or a text would be read as a list.
    """
    if not isinstance(options, Mapping):
        raise ValueError(f'{where}.options: must be a mapping of dotted keys, got {options!r}')
    words = []
    for key, value in options.items():
        if isinstance(value, str) and set(value) & set(',[]()'):
            raise ValueError(f'{where}.options.{key}: {value!r} cannot be given on a command line')
        words.append(f'{key}={str(value).replace(" ", "") if isinstance(value, list) else value}')
    return words


def label_words(cell: Cell) -> list[str]:
    """The options for a run on a part of the labels; each seed draws its own part."""
    if cell.labels is None:
        return []
    return ['--label-fraction', f'{cell.labels:g}', '--label-seed', str(cell.seed)]


def _words(cell: Cell) -> list[str]:
    options = option_words(cell.options, cell.where)
    return [cell.config, *label_words(cell), *(['--cfg-options', *options] if options else [])]


def expected_record(cell: Cell, cells: Mapping[str, Cell], facts: Mapping[str, Facts]) -> dict:
    """What the record of a finished downstream cell will say about where it belongs."""
    initial: str | dict = 'random'
    if cell.start_file:
        initial = {'checkpoint': cell.start_file, 'source': None, 'run': None}
    elif cell.start and cells[cell.start].kind == 'initial':
        initial = {'checkpoint': cell.start, 'source': 'random initialisation', 'run': None}
    elif cell.start:
        of = facts[cell.start]
        run = {'algorithm': of.algorithm, 'config': cells[cell.start].config}
        given = cells[cell.start].start_file or cells[cell.start].options.get('load_from')
        fits = of.expected_start in (None, 'imagenet' if given else 'random')
        run |= {'as_published': fits, 'pairs_of': of.pairs_of}
        initial = {'checkpoint': f'{cell.start}.pth', 'source': None, 'run': run}
    return {
        'status': 'finished',
        'as_published': True,
        'paper_cell': facts[cell.name].paper_cell,
        'initialised_from': initial,
        'protocol': AVERAGED if cell.tta else None,
    }
