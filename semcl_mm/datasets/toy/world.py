"""Make a toy world: all of it, in parallel, or nothing."""

import json
import multiprocessing
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import cv2

from semcl_mm.datasets.toy.files import CLIP_TITLE, write_clip, write_scene
from semcl_mm.datasets.toy.indices import META_NAME, SPLITS, write_indices, write_meta
from semcl_mm.datasets.toy.parameters import GENERATOR_VERSION, ToyParameters

_FOLDERS = (
    'JPEGImages',
    'SegmentationClass',
    'SegmentationObject',
    'ImageSets/Segmentation',
    'ImageSets/Depth',
    'annotations',
    'depth',
    'clips',
    'clips_masks',
)
_BATCH = 8  # scenes per task: enough to hide the cost of handing it over


def make_toy_world(
    out: str | os.PathLike,
    scenes: int = ToyParameters.scenes,
    clips: int = ToyParameters.clips,
    size: tuple[int, int] = ToyParameters.size,
    seed: int = ToyParameters.seed,
    workers: int | None = None,
    *,
    frames: int = ToyParameters.frames,
    force: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> dict:
    """Write a toy world to ``out``, or reuse the one that is there.

    The files are a function of the parameters alone: byte-identical for any number of workers.
    They are built in a folder beside ``out`` that takes its name at the end, so that ``out`` is
    complete or absent.

    Args:
        out: The folder to make.
        scenes: Number of still images.
        clips: Number of clips of moving objects.
        size: Width and height in pixels.
        seed: Seed of everything.
        workers: Processes; None for one per core, 0 or 1 to stay in this process.
        frames: Frames per clip.
        force: Replace a toy world of other parameters (and everything else in its folder).
        progress: Called with (images written, images in total).

    Returns:
        The content of ``toy.json`` and ``reused``, whether the world was there already.

    Raises:
        ValueError: If a parameter is out of range.
        FileExistsError: If ``out`` holds something else, or a world of other parameters.
        OSError: If ``out`` cannot be written.
    """
    parameters = ToyParameters(scenes=scenes, clips=clips, frames=frames, size=size, seed=seed)
    workers = _usable_cores() if workers is None else workers
    if workers < 0:
        raise ValueError(f'workers must be 0 or more, got {workers}')
    out = Path(out).absolute()
    if not force and (meta := _existing(out, parameters)) is not None:
        return {**meta, 'reused': True}
    _refuse_foreign(out)
    with _building_folder(out) as folder:
        meta = _build(folder, parameters, workers, progress)
        _move_into_place(folder, out)
    return {**meta, 'reused': False}


def _usable_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1


def _existing(out: Path, parameters: ToyParameters) -> dict | None:
    """The description of the world of these parameters at ``out``, None if nothing is there."""
    path = out / META_NAME
    if not path.is_file():
        return None
    try:
        meta = json.loads(path.read_text())
        found = {**meta['parameters'], 'generator version': meta['version']}
        expected = int(meta['files'])
    except (ValueError, KeyError, TypeError) as error:
        message = f'{path} does not describe a toy world ({error!r}); use --force to replace it'
        raise FileExistsError(message) from None
    wanted = {**parameters.as_json(), 'generator version': GENERATOR_VERSION}
    changes = [
        f'{k} {found.get(k)} there, {wanted[k]} wanted' for k in wanted if found.get(k) != wanted[k]
    ]
    if changes:
        message = f'{out} holds another toy world ({"; ".join(changes)}); use --force to replace it'
        raise FileExistsError(message)
    own = [
        out / 'camera.json',
        out / 'class_names.txt',
        *(out / top for top in {f.split('/')[0] for f in _FOLDERS}),
    ]
    present = sum(p.is_file() for top in own for p in (top, *top.rglob('*')))
    if present < expected:
        message = f'{out} is damaged: {expected - present} files are gone; use --force to remake it'
        raise FileExistsError(message)
    return meta


def _refuse_foreign(out: Path) -> None:
    """Never replace what is not a toy world."""
    if out.exists() and not out.is_dir():
        raise FileExistsError(f'{out} is a file; name a folder')
    if out.is_dir() and any(out.iterdir()) and not (out / META_NAME).is_file():
        raise FileExistsError(f'{out} is not empty and no toy world; name another folder')


@contextmanager
def _building_folder(out: Path) -> Iterator[Path]:
    """A fresh folder beside ``out`` that does not outlive the block."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f'.{out.name}.partial-', dir=out.parent))
    except OSError as error:
        raise OSError(f'cannot write {out}: {error}') from error
    try:
        folder.chmod(0o755)  # mkdtemp keeps others out
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _build(
    folder: Path,
    parameters: ToyParameters,
    workers: int,
    progress: Callable[[int, int], None] | None,
) -> dict:
    for name in _FOLDERS:
        (folder / name).mkdir(parents=True)
    for top in ('clips', 'clips_masks'):
        for split in SPLITS:
            (folder / top / split).mkdir()
        for index in range(parameters.clips):
            (folder / top / parameters.split_of_clip(index) / CLIP_TITLE.format(index)).mkdir()
    tasks = [
        *(partial(_clips, folder, parameters, [i]) for i in range(parameters.clips)),
        *(
            partial(_scenes, folder, parameters, range(i, min(i + _BATCH, parameters.scenes)))
            for i in range(0, parameters.scenes, _BATCH)
        ),
    ]
    total = parameters.scenes + parameters.clips * parameters.frames
    scenes, clips, done = [], [], 0
    for new_scenes, new_clips in _run(tasks, workers):
        scenes += new_scenes
        clips += new_clips
        done += len(new_scenes) + len(new_clips) * parameters.frames
        if progress is not None:
            progress(done, total)
    scenes.sort(key=lambda record: record.index)
    clips.sort(key=lambda record: record.index)
    write_indices(folder, parameters, scenes, clips)
    return write_meta(folder, parameters, scenes)


def _scenes(folder: Path, parameters: ToyParameters, indices: range) -> tuple[list, list]:
    return [write_scene(folder, parameters, i) for i in indices], []


def _clips(folder: Path, parameters: ToyParameters, indices: list[int]) -> tuple[list, list]:
    return [], [write_clip(folder, parameters, i) for i in indices]


def _run(tasks: list[Callable[[], tuple]], workers: int) -> Iterator[tuple]:
    """The results in the order of their completion."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)  # one process per core is faster, and forking needs an idle thread pool
    try:
        if workers <= 1:
            yield from (task() for task in tasks)
            return
        forks = 'fork' in multiprocessing.get_all_start_methods()
        context = multiprocessing.get_context('fork' if forks else None)
        with ProcessPoolExecutor(min(workers, len(tasks)), mp_context=context) as pool:
            futures = [pool.submit(task) for task in tasks]
            try:
                yield from (future.result() for future in as_completed(futures))
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
    finally:
        cv2.setNumThreads(threads)


def _move_into_place(folder: Path, out: Path) -> None:
    with tempfile.TemporaryDirectory(prefix=f'.{out.name}.old-', dir=out.parent) as old:
        if out.exists():
            os.replace(out, Path(old) / out.name)
        os.replace(folder, out)
