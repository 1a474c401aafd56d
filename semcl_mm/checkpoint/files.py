"""Files of weights: read without running what is in them, written whole or not at all."""

import argparse
import collections
import hashlib
import json
import os
import pathlib
import pickle
import re
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer

from semcl_mm.checkpoint.errors import CheckpointError, UnreadableCheckpoint, UnsafeCheckpoint

_REFUSED = 'refused:'  # marks the stand-ins' own refusals; torch keeps the text of an error only
_METADATA = 'semcl_mm'  # safetensors keep strings only: our meta is JSON under this name


def _statistic(owner: object, name: str) -> Any:
    """Stands in for ``getattr``, by which MMEngine's curves refer to their own statistics."""
    if owner is not HistoryBuffer or name not in ('min', 'max', 'current', 'mean'):
        raise pickle.UnpicklingError(f'{_REFUSED} builtins.getattr({owner!r}, {name!r})')
    return getattr(HistoryBuffer, name)


def _latin1(text: str, encoding: str) -> bytes:
    """Stands in for ``_codecs.encode``, by which pickle writes the bytes of numpy's scalars."""
    if encoding != 'latin1':
        raise pickle.UnpicklingError(f'{_REFUSED} _codecs.encode({encoding!r})')
    return text.encode('latin1')


def _harmless() -> list:
    """Classes that occur beside the weights in known checkpoints and only hold values.

    Where a class could do more than that, the name is bound to a stand-in.
    """
    dtypes = {type(np.dtype(code)) for code in '?bBhHiIlLqQefdFDSU'}
    core = 'numpy._core.multiarray', 'numpy.core.multiarray'  # numpy 2, numpy 1
    scalar, reconstruct = np.float64(0).__reduce__()[0], np.zeros(0).__reduce__()[0]
    settings = (
        'yacs.config.CfgNode',
        'easydict.EasyDict',
        'addict.addict.Dict',
        'mmengine.config.config.ConfigDict',
        'mmcv.utils.config.ConfigDict',
    )
    return [
        argparse.Namespace,
        collections.defaultdict,
        dict,
        set,
        slice,
        complex,
        np.ndarray,
        np.dtype,
        *dtypes,
        *((scalar, f'{module}.scalar') for module in core),
        *((reconstruct, f'{module}._reconstruct') for module in core),
        (pathlib.PurePosixPath, 'pathlib.PosixPath'),
        (pathlib.PurePosixPath, 'pathlib._local.PosixPath'),
        (_latin1, '_codecs.encode'),
        (_statistic, 'builtins.getattr'),
        HistoryBuffer,
        *((collections.OrderedDict, name) for name in settings),
    ]


def load_file(path: str | os.PathLike, trust: bool = False) -> dict[str, Any]:
    """Reads a checkpoint to the CPU.

    Args:
        path: A ``.pth``, ``.pth.tar``, ``.pt`` or ``.safetensors`` file.
        trust: Let the file run code. For files of your own with objects that are not known here.

    Returns:
        What the file holds. A ``.safetensors`` file becomes ``{'state_dict': …, 'meta': …}``.

    Raises:
        FileNotFoundError: If there is no such file.
        UnreadableCheckpoint: If it is empty, truncated or something else.
        UnsafeCheckpoint: If it needs code to be run and ``trust`` is off.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f'no checkpoint at {path}')
    if not path.is_file():
        raise UnreadableCheckpoint(f'{path} is a folder, not a checkpoint')
    if path.stat().st_size == 0:
        raise UnreadableCheckpoint(f'{path} is empty')
    if path.suffix == '.safetensors':
        return _load_safetensors(path)
    # Every curve that is read registers statistics for all curves of this process.
    statistics = dict(HistoryBuffer._statistics_methods)
    try:
        if trust:
            checkpoint = torch.load(path, map_location='cpu', weights_only=False)
        else:
            with torch.serialization.safe_globals(_harmless()):
                checkpoint = torch.load(path, map_location='cpu', weights_only=True)
    except MemoryError:
        raise
    except PermissionError as error:
        raise PermissionError(f'no permission to read {path}') from error
    except Exception as error:  # a damaged pickle can raise anything
        raise _explained(path, error) from error
    finally:
        if not trust:
            HistoryBuffer._statistics_methods.clear()
            HistoryBuffer._statistics_methods.update(statistics)
    if not isinstance(checkpoint, Mapping):
        raise UnreadableCheckpoint(
            f'{path} holds a {type(checkpoint).__name__}, not a dict of weights'
        )
    return checkpoint


def _explained(path: Path, error: Exception) -> CheckpointError:
    names = _refused_names(path, str(error))
    if names:
        return UnsafeCheckpoint(
            f'{path} refers to {", ".join(names)}, which loading weights does not need and which '
            'could run code; nothing was run. If you know where the file is from, use --trust'
        )
    first = (str(error) or type(error).__name__).strip().splitlines()[0][:200]
    return UnreadableCheckpoint(f'{path} is truncated or not a checkpoint: {first}')


def _refused_names(path: Path, message: str) -> list[str]:
    if _REFUSED in message:
        return [message.split(_REFUSED)[1].strip().splitlines()[0]]
    if 'nsupported' not in message and 'allowlist' not in message and 'call reduce' not in message:
        return []
    names: list[str] = []
    if zipfile.is_zipfile(path):
        try:
            with torch.serialization.safe_globals(_harmless()):
                names = sorted(torch.serialization.get_unsafe_globals_in_checkpoint(str(path)))
        except (ValueError, RuntimeError, pickle.UnpicklingError):
            names = []
    return names or re.findall(r'GLOBAL ([\w.]+)', message)[:1]


def _load_safetensors(path: Path) -> dict[str, Any]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework='pt') as file:
            metadata = file.metadata() or {}
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        meta = json.loads(metadata.get(_METADATA, '{}'))
    except (SafetensorError, json.JSONDecodeError) as error:
        raise UnreadableCheckpoint(
            f'{path} is truncated or no safetensors file: {error}'
        ) from error
    return {'state_dict': state, 'meta': meta}


def save_checkpoint(checkpoint: Mapping[str, Any], path: str | os.PathLike) -> Path:
    """Writes a checkpoint; a reader never sees half of it, and equal content is equal bytes.

    Args:
        checkpoint: ``{'state_dict': …, 'meta': …}`` or, for other libraries, bare tensors.
        path: Where to. The suffix ``.safetensors`` chooses that format.

    Returns:
        The path.

    Raises:
        OSError: If the folder cannot be written.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f'.{path.name}.', suffix='.part')
    os.close(handle)
    try:
        if path.suffix == '.safetensors':
            _save_safetensors(checkpoint, temporary)
        else:
            with open(temporary, 'wb') as file:  # by name, torch would write the name into it
                torch.save(dict(checkpoint), file)
        # mkstemp is for the owner's eyes only; a published file has the usual permissions.
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return path


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def _save_safetensors(checkpoint: Mapping[str, Any], path: str) -> None:
    from safetensors.torch import save_file

    state = checkpoint.get('state_dict', checkpoint)
    # Tensors that share memory are refused by the format: each gets its own.
    tensors = {key: value.detach().clone().contiguous() for key, value in state.items()}
    metadata = {'format': 'pt'}
    if 'meta' in checkpoint:
        metadata[_METADATA] = json.dumps(checkpoint['meta'], sort_keys=True, default=str)
    save_file(tensors, path, metadata=metadata)
    _sort_metadata(path)


def _sort_metadata(path: str) -> None:
    """Sorts the metadata in a safetensors header: the library draws their order anew each time."""
    with open(path, 'r+b') as file:
        size = int.from_bytes(file.read(8), 'little')
        header = json.loads(file.read(size))
        header['__metadata__'] = dict(sorted(header['__metadata__'].items()))
        text = json.dumps(header, separators=(',', ':'), ensure_ascii=False).encode()
        assert len(text) <= size, 'a header of other text than its own'  # tensors follow it
        file.seek(8)
        file.write(text.ljust(size))


def file_sha256(path: str | os.PathLike) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
