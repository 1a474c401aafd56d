"""A whole model from a training's checkpoint: heads too, nothing missing, nothing left over."""

import os

from torch import nn

from semcl_mm.checkpoint.errors import CheckpointError, CheckpointMismatch
from semcl_mm.checkpoint.files import load_file


def load_whole_model(
    model: nn.Module,
    path: str | os.PathLike,
    *,
    trust: bool = False,
    skip: str | None = None,
    origin: str = 'the config',
) -> None:
    """Fills all of a model from a checkpoint of the same config.

    Args:
        model: As the config builds it.
        path: A file that a training here wrote.
        trust: Let the file run code.
        skip: A prefix of names that need not fit, a memory's for example.
        origin: What the model comes from, for messages.

    Raises:
        FileNotFoundError: There is no such file.
        CheckpointError: It cannot be read, or it holds no ``state_dict``.
        CheckpointMismatch: It is of another model; the message names the first tensor that does
            not fit and how many more.
    """
    state = load_file(path, trust=trust).get('state_dict')
    if not state:
        raise CheckpointError(f'{path}: no state_dict in it: a checkpoint of a training is needed')

    def counts(key: str) -> bool:
        return not (skip and key.startswith(skip))

    try:
        result = model.load_state_dict({k: v for k, v in state.items() if counts(k)}, strict=False)
    except RuntimeError as error:  # PyTorch lists a line for each tensor of another shape
        faults = [line.strip() for line in str(error).splitlines()[1:] if line.strip()]
        faults = faults or [str(error)]
    else:
        faults = [f'lacks {key}' for key in result.missing_keys if counts(key)]
        faults += [f'has {key}, the model does not' for key in result.unexpected_keys]
    if faults:
        more = f' (and {len(faults) - 1} more)' if len(faults) > 1 else ''
        raise CheckpointMismatch(f'{path}: does not fit {origin}: {faults[0]}{more}')
