"""Whether every start fills the backbone that starts from it, tried before anything runs."""

from collections.abc import Iterable, Mapping
from typing import Any

from mmengine.logging import MMLogger
from mmengine.registry import MODELS
from torch import nn

from semcl_mm.checkpoint import CheckpointError, load_file
from semcl_mm.checkpoint.loading import fill_backbone
from semcl_mm.suite.cells import Cell
from semcl_mm.suite.facts import merged_config

__all__ = ['check_starts']


def check_starts(cells: Iterable[Cell], suite: Mapping[str, Cell]) -> None:
    """Loads each start once into each backbone that starts from it; seconds a pair.

    A start that another cell of the suite is still to make has that cell's backbone.

    Args:
        cells: Those whose start is to be tried.
        suite: All cells of the suite by name.

    Raises:
        ValueError: a file is damaged, or a start is of another backbone than its run, naming the
            place in the suite.
    """
    MMLogger.get_instance('suite', log_level='ERROR')  # not a line for each load
    backbones, seen = _Backbones(), set()
    for cell in cells:
        maker = suite[cell.start] if cell.start else None
        file = cell.start_file or cell.options.get('load_from')
        if maker is None and (not file or '://' in file):
            continue
        backbone = backbones.of(cell)
        given = backbones.of(maker) if maker else file
        if backbone is None or given in (None, backbone) or (key := f'{given} {backbone}') in seen:
            continue
        seen.add(key)
        try:
            _try(backbone, given)
        except CheckpointError as error:
            of = f'{maker.name} ({maker.config})' if maker else file
            raise ValueError(f'{cell.where} from {of}: {cell.config}: {error}') from error


class _Backbones:
    """The backbones of cells, each config read once."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Mapping[str, Any] | None] = {}

    def of(self, cell: Cell) -> Mapping[str, Any] | None:
        key = cell.config, str(cell.options)
        if key not in self._known:
            self._known[key] = merged_config(cell).model.get('backbone')
        return self._known[key]


def _try(backbone: Mapping[str, Any], start: str | Mapping[str, Any]) -> None:
    """Fills a backbone from a file, or from the weights of a start's backbone."""
    if isinstance(start, str):
        name, checkpoint = start, load_file(start)
    else:
        name, state = 'its checkpoint', _build(start).state_dict()
        checkpoint = {'state_dict': {f'backbone.{key}': value for key, value in state.items()}}
    fill_backbone(_build(backbone), checkpoint, name, 'online', 0.99)


def _build(backbone: Mapping[str, Any]) -> nn.Module:
    return MODELS.build({**backbone, 'init_cfg': None})
