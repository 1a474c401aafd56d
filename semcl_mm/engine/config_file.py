"""Reading a config file with errors that name it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.config.utils import ConfigParsingError

from semcl_mm.engine.overrides import check_overrides, check_top_level

__all__ = ['read_config']


def read_config(path: str | Path, overrides: Mapping[str, Any] | None = None) -> Config:
    """Reads a config file; misspelt keys at its top are found.

    Args:
        path: The config file.
        overrides: Dotted keys and values that replace entries of it, as ``--cfg-options`` gives
            them.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no Python, uses what it has not defined or imported, imports what is not
            there, or has a key at its top that nothing reads; the message names the file. Or an
            override names a key that it does not have.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'config not found: {path}')
    try:
        cfg = Config.fromfile(path)
        check_top_level(cfg._cfg_dict, str(path))  # a Config is no Mapping
    except SyntaxError as error:  # of the file or of a base, which it does not name
        text = (error.text or '').strip()
        raise ValueError(
            f'{path} or a base of it is no Python: {error.msg} in line {error.lineno}: {text}'
        ) from error
    except (ImportError, ConfigParsingError, NameError, AttributeError, TypeError) as error:
        raise ValueError(f'{path}: cannot be read as a config: {error}') from error
    if overrides:
        check_overrides(cfg._cfg_dict, overrides)
        cfg.merge_from_dict(dict(overrides))
    return cfg
