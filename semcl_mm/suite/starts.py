"""Whether every start fills the backbone that starts from it, tried before anything runs."""

from collections.abc import Iterable, Mapping
from typing import Any

from mmengine.registry import MODELS
from torch import nn

from semcl_mm.checkpoint import CheckpointError, load_file
from semcl_mm.checkpoint.loading import fill_backbone
from semcl_mm.suite.cells import Cell
from semcl_mm.suite.facts import Facts

__all__ = ['check_starts']


def check_starts(cells: Iterable[Cell], facts: Mapping[str, Facts]) -> None:
    """Loads each start once into each backbone that starts from it; seconds a pair.

    A start that another cell of the suite is still to make has that cell's backbone.

    Args:
        cells: Those whose start is to be tried.
        facts: Of all cells of the suite, by name.

    Raises:
        ValueError: a file is damaged, or a start is of another backbone than its run, naming the
            place in the suite.
    """
    seen = set()
    for cell in cells:
        given: str | Mapping[str, Any] | None = cell.start_file or cell.options.get('load_from')
        if cell.start:
            given = facts[cell.start].backbone
        elif given and '://' in given:
            continue
        backbone = facts[cell.name].backbone
        if backbone is None or given in (None, backbone) or (key := f'{given} {backbone}') in seen:
            continue
        seen.add(key)
        try:
            _try(backbone, given)
        except CheckpointError as error:
            of = cell.start or given
            raise ValueError(f'{cell.where} from {of}: {cell.config}: {error}') from error


def _try(backbone: Mapping[str, Any], start: str | Mapping[str, Any]) -> None:
    """Fills a backbone from a file, or from the weights of a start's backbone."""
    if isinstance(start, str):
        fill_backbone(_build(backbone), load_file(start), start)
        return
    state = {f'backbone.{key}': value for key, value in _build(start).state_dict().items()}
    fill_backbone(_build(backbone), {'state_dict': state}, 'its checkpoint')


def _build(backbone: Mapping[str, Any]) -> nn.Module:
    return MODELS.build({**backbone, 'init_cfg': None})
