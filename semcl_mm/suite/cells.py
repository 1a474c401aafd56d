"""The cells of a suite: one run each, in an order in which every run finds its start."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from semcl_mm.suite.description import Block, Checkpoint, Suite, Task

__all__ = ['Cell', 'expand']


@dataclass(frozen=True)
class Cell:
    """One run.

    Attributes:
        name: Its work dir below that of the suite.
        kind: ``initial``, ``pretraining`` or ``downstream``.
        config: What is run.
        seed: Its seed.
        start: The cell whose checkpoint it starts from, if any.
        start_file: The file it starts from, if any.
        options: ``--cfg-options``.
        tta: Whether a test over scales and flips follows.
        labels: Share of the training images whose labels it sees.
        task, checkpoint: Names that the suite gives to the downstream task and to its start.
        where: Place in the suite file, for messages.
    """

    name: str
    kind: str
    config: str
    seed: int
    start: str | None = None
    start_file: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    tta: bool = False
    labels: float | None = None
    task: str = ''
    checkpoint: str = ''
    where: str = field(default='', compare=False)


def expand(suite: Suite) -> list[Cell]:
    """All cells, what makes a start before what needs it; a cell of two blocks is there once.

    Raises:
        ValueError: two different runs have one name, or pretrainings start from each other.
    """
    cells: dict[str, Cell] = {}
    for block in suite.blocks:
        for seed in block.seeds:  # a seed's runs follow each other: what is done can be compared
            for name, checkpoint in block.checkpoints.items():
                if checkpoint.only_start:
                    continue
                start = _start(cells, block, checkpoint, seed, ())
                for task in block.downstream:
                    _add(cells, _downstream(task, name, start, seed))
    return list(cells.values())


def _start(
    cells: dict[str, Cell], block: Block, checkpoint: Checkpoint, seed: int, above: tuple[str, ...]
) -> dict[str, str]:
    """Adds the cells that make a checkpoint; returns the entries of those that start from it."""
    if checkpoint.kind == 'random':
        return {}
    if checkpoint.kind == 'file':
        return {'start_file': checkpoint.source}
    if checkpoint.name in above:
        raise ValueError(f'{checkpoint.where}.start: {" -> ".join(above)} start from each other')
    seed = seed if checkpoint.seed is None else checkpoint.seed
    kind = 'pretrain' if checkpoint.kind == 'pretraining' else 'initial'
    start = {}
    earlier = block.checkpoints.get(checkpoint.start)
    if earlier is not None:
        start = _start(cells, block, earlier, seed, (*above, checkpoint.name))
    cell = Cell(
        name=f'{kind}_{checkpoint.name}_seed{seed}',
        kind=checkpoint.kind,
        config=checkpoint.source,
        seed=seed,
        options=checkpoint.options,
        checkpoint=checkpoint.name,
        where=checkpoint.where,
        **start,
    )
    _add(cells, cell)
    return {'start': cell.name}


def _downstream(task: Task, checkpoint: str, start: dict[str, str], seed: int) -> Cell:
    return Cell(
        name=f'{task.name}_from_{checkpoint}_seed{seed}',
        kind='downstream',
        config=task.config,
        seed=seed,
        options=task.options,
        tta=task.tta,
        labels=task.labels,
        task=task.name,
        checkpoint=checkpoint,
        where=task.where,
        **start,
    )


def _add(cells: dict[str, Cell], cell: Cell) -> None:
    known = cells.setdefault(cell.name, cell)
    if known != cell:
        raise ValueError(
            f'{cell.where} and {known.where}: two different runs are called {cell.name}; '
            'give one of them another name'
        )
