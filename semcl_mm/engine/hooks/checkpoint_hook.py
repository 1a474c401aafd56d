"""Save the new checkpoint before the old one is removed."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mmengine.hooks import CheckpointHook

from semcl_mm.registry import HOOKS

__all__ = ['SafeCheckpointHook']


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """MMEngine's hook removes the expired checkpoint and then writes the new one.

    A run killed between the two has lost everything where ``max_keep_ckpts=1``. Here the old file
    goes last, the best one included. The arguments are MMEngine's.
    """

    def _save_checkpoint_with_step(self, runner, step: int, meta: dict) -> None:
        with self._removal_last():
            super()._save_checkpoint_with_step(runner, step, meta)

    def _save_best_checkpoint(self, runner, metrics: dict) -> None:
        with self._removal_last():
            super()._save_best_checkpoint(runner, metrics)

    @contextmanager
    def _removal_last(self) -> Iterator[None]:
        backend = self.file_backend
        if isinstance(backend, _PatientBackend):  # the best checkpoint saves the last one again
            yield
            return
        self.file_backend = patient = _PatientBackend(backend)
        try:
            yield
        finally:
            self.file_backend = backend
        patient.remove_now()


class _PatientBackend:
    """A file backend that removes when it is told to."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self._removals: list[tuple[Any, str]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def remove(self, path: str) -> None:
        self._removals.append((self._backend.remove, path))

    def rmtree(self, path: str) -> None:
        self._removals.append((self._backend.rmtree, path))

    def remove_now(self) -> None:
        for remove, path in self._removals:
            remove(path)
