"""Checkpoints to rely on: the last good one, of the right model, and room for the next."""

import glob
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from torch import Tensor, nn

from semcl_mm.checkpoint import CheckpointError

__all__ = [
    'checkpoints_newest_first',
    'nothing_to_resume',
    'replace_when_complete',
    'require_fit',
    'require_writable',
]

_NUMBERED = re.compile(r'(?:iter|epoch)_(\d+)\.pth')


def require_writable(folder: str | os.PathLike) -> Path:
    """Make a folder and try to write in it.

    Args:
        folder: The work dir.

    Returns:
        The folder.

    Raises:
        ValueError: It cannot be made or written, and why.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ValueError(
            f'cannot write to the work dir {folder}: {error.strerror or error}; '
            'choose another with --work-dir'
        ) from error
    return folder


def checkpoints_newest_first(work_dir: str | os.PathLike) -> list[Path]:
    """The checkpoints of a work dir to resume from, best candidate first.

    First what the file ``last_checkpoint`` names (looked up by name, should the folder have
    moved), then ``iter_*.pth`` and ``epoch_*.pth`` from the highest number down.
    """
    work_dir = Path(work_dir)
    numbered = sorted(
        (path for path in work_dir.glob('*.pth') if _NUMBERED.fullmatch(path.name)),
        key=lambda path: int(_NUMBERED.fullmatch(path.name)[1]),
        reverse=True,
    )
    pointer = work_dir / 'last_checkpoint'
    named = pointer.read_text().strip() if pointer.is_file() else ''
    if not named:
        return numbered
    own = work_dir / Path(named).name  # a copied folder must not go on from the original's file
    last = Path(named) if Path(named).is_file() and not own.is_file() else own
    return [last, *(path for path in numbered if path.resolve() != last.resolve())]


def nothing_to_resume(work_dir: str | os.PathLike, config: str | os.PathLike) -> str:
    """What to tell who wants to resume a work dir without a checkpoint.

    Args:
        work_dir: The folder.
        config: The config's file; folders beside ``work_dir`` whose name starts like it and that
            hold a ``last_checkpoint`` may be what was meant.

    Returns:
        One sentence, and a second one that lists those folders where there are any.
    """
    work_dir = Path(work_dir)
    text = f'--resume: no checkpoint in {work_dir}: a new run starts there'
    others = sorted(
        str(pointer.parent)
        for pointer in work_dir.parent.glob(f'{glob.escape(Path(config).stem)}*/last_checkpoint')
        if pointer.parent.name != work_dir.name
    )
    if others:
        text += (
            f'. Checkpoints of this config are in {", ".join(others[:8])}'
            f'{", …" if len(others) > 8 else ""}: to go on with one, give it as --work-dir'
        )
    return text


def require_fit(
    model: nn.Module,
    state: Mapping[str, Tensor],
    filename: str | os.PathLike,
    backbone_only: bool = False,
) -> None:
    """Stop where a checkpoint is of another model: MMEngine would load what happens to fit.

    Args:
        model: What is to be filled.
        state: Tensors of the checkpoint, by name.
        filename: For the message.
        backbone_only: Look at ``backbone.*`` alone, where the model has it, and tolerate one
            missing tensor in a hundred. To go on training from ``load_from`` that is enough: a
            new head is what such a run is for. To resume or to test, nothing may be missing.

    Raises:
        CheckpointError: Tensors are missing or of another shape.
    """
    state = {key.removeprefix('module.'): value for key, value in state.items()}
    expected = model.state_dict()
    if backbone_only:
        backbone = {key: v for key, v in expected.items() if key.startswith('backbone.')}
        expected = backbone or expected
    unfit = [
        key
        for key, value in expected.items()
        if key not in state or state[key].shape != value.shape
    ]
    if len(unfit) > (len(expected) // 100 if backbone_only else 0):
        raise CheckpointError(
            f'{filename} is of another model than {type(model).__name__}: {len(unfit)} of '
            f'{len(expected)} tensors are missing or of another shape: '
            f'{", ".join(unfit[:8])}{", …" if len(unfit) > 8 else ""}'
        )


@contextmanager
def replace_when_complete(path: str | os.PathLike) -> Iterator[Path]:
    """A temporary path beside ``path`` that takes its place when the block ends well.

    A reader sees the old file or the new one, never a part; so does the disk after a power cut.
    """
    path = Path(path)
    part = path.with_name(f'.{path.name}.part')
    try:
        yield part
        if part.exists():  # only process 0 writes
            with open(part, 'rb+') as file:
                os.fsync(file.fileno())
            os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
