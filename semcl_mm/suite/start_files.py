"""Whether the files of a suite fill the backbones that start from them, tried before a run does."""

from collections.abc import Iterable, Mapping
from typing import Any

from mmengine.logging import MMLogger
from mmengine.registry import MODELS
from torch import nn

from semcl_mm.checkpoint import CheckpointError, load_backbone
from semcl_mm.suite.cells import Cell
from semcl_mm.suite.facts import merged_config

__all__ = ['check_start_files']


def check_start_files(cells: Iterable[Cell]) -> None:
    """Loads each file once into each backbone that starts from it; seconds a pair.

    Raises:
        ValueError: a file is damaged or of another backbone, naming the place in the suite.
    """
    MMLogger.get_instance('suite', log_level='ERROR')  # not a line for each load
    seen = set()
    for cell in cells:
        file = cell.start_file or cell.options.get('load_from')
        if not file or '://' in file:
            continue
        key = file, cell.config, str(cell.options)
        if key not in seen:
            seen.add(key)
            backbone = merged_config(cell).model.get('backbone')
            what = str(backbone)
            if backbone is not None and (file, what) not in seen:
                seen.add((file, what))
                _check(cell, file, backbone)


def _check(cell: Cell, file: str, backbone: Mapping[str, Any]) -> None:
    built: nn.Module = MODELS.build({**backbone, 'init_cfg': None})
    try:
        load_backbone(built, file)
    except CheckpointError as error:
        raise ValueError(f'{cell.where} from {file}: {cell.config}: {error}') from error
