"""What a suite is: checkpoints x downstream configs x seeds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ['Block', 'Checkpoint', 'Suite', 'Task']


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
        data: Paths that must be there, with what they hold.
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
    data: Mapping[str, str] = field(default_factory=dict)
    prepare: tuple[str, ...] = ()
    paper: str | None = None
    table: str | None = None
    starts: Mapping[str, Any] = field(default_factory=dict)
    baselines: Mapping[str, Any] = field(default_factory=dict)
    seeds: tuple[int, ...] = (0,)
    task_seeds: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
