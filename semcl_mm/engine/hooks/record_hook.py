"""Each run leaves a record: what it was, where it came from, what came out."""

import atexit
import time
import uuid
from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.hooks import Hook

from semcl_mm.analysis.provenance import peak_memory, start_deviations
from semcl_mm.analysis.records import RECORD_NAME, write_json
from semcl_mm.engine.run_record import (
    describe,
    initial_weights,
    record_of_test,
    training_scalars,
)
from semcl_mm.registry import HOOKS

__all__ = ['RunRecordHook']

#: Metrics of which the smallest value is the best one.
LOWER_IS_BETTER = ('loss', 'absrel', 'sqrel', 'rmse', 'rmselog', 'log10', 'silog')
_CARRIED = ('run_id', 'metrics_best', 'wall_seconds', 'initialised_from')


@HOOKS.register_module()
class RunRecordHook(Hook):
    """Writes ``<work_dir>/<timestamp>/record.json``; ``tools/analyze collect`` gathers them.

    The record is written when training starts (status ``running``), after every validation and
    at the end (``finished``; ``stopped`` where an error or a signal ended the process). It also
    goes into the checkpoints' ``meta['run']``: a downstream run knows what pretrained its
    backbone, and a resumed run carries on the best metrics and the wall time.

    ``metrics_final`` holds the metrics of the last validation, and what the training logged last as
    ``train/loss``, ``train/grad_norm``…, smoothed as in the log. ``tools/test.py`` leaves a record
    of its own, see :func:`~semcl_mm.engine.run_record.record_of_test`.
    """

    priority = 'VERY_LOW'

    def before_train(self, runner) -> None:
        """Note what is known before the first iteration."""
        self._start = time.monotonic()
        self._path = Path(runner.log_dir) / RECORD_NAME
        carried = getattr(self, '_resumed', None)
        self.record = {**describe(runner), **(carried or {})}
        self.record.setdefault('run_id', uuid.uuid4().hex[:12])
        self.record.setdefault('initialised_from', initial_weights(runner))
        departures = start_deviations(runner.cfg, self.record['initialised_from'])
        self.record['deviations'] = self.record['deviations'] | departures
        self.record['as_published'] = not self.record['deviations']
        self.record.setdefault('metrics_best', {})
        self.record['resumed_from'] = runner.resumed_from
        self._wall_before = self.record.get('wall_seconds', 0.0)
        self._update(runner, status='running')
        atexit.register(self._stopped)

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        """Take over the numbers of the run that is resumed."""
        run = checkpoint.get('meta', {}).get('run')
        self._loaded = run
        if runner.resumed and run:
            self._resumed = {key: run[key] for key in _CARRIED if key in run}

    def after_val_epoch(self, runner, metrics: dict[str, float] | None = None) -> None:
        """Note the metrics, and the best so far."""
        if not metrics or not hasattr(self, 'record'):
            return
        metrics = {key: float(value) for key, value in metrics.items()}
        best = self.record['metrics_best']
        for key, value in metrics.items():
            lower = key.rsplit('/', 1)[-1].lower() in LOWER_IS_BETTER
            known = best.get(key)
            if known is None or (value < known if lower else value > known):
                best[key] = value
        self._update(runner, metrics_final={**metrics, **training_scalars(runner)})

    def after_test_epoch(self, runner, metrics: dict[str, float] | None = None) -> None:
        """Note what a run reaches, on one scale or averaged over several."""
        run = getattr(self, '_loaded', None)
        if metrics and run and is_main_process():
            record = record_of_test(run, runner, metrics)
            write_json(Path(runner.log_dir) / RECORD_NAME, record)

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        """Let the checkpoint say what made it."""
        if hasattr(self, 'record'):
            done = checkpoint['meta']['iter']  # the runner counts the current one as still to do
            self.record.update(iterations=done, wall_seconds=self._wall())
            self.record['metrics_final'] |= training_scalars(runner)
            checkpoint['meta']['run'] = dict(self.record)

    def after_train(self, runner) -> None:
        """Note the end."""
        atexit.unregister(self._stopped)
        self.record['metrics_final'] |= training_scalars(runner)
        self._update(runner, status='finished')

    def _stopped(self) -> None:
        self.record.update(status='stopped', wall_seconds=self._wall())
        self._write()

    def _update(self, runner, **entries) -> None:
        self.record.update(
            entries,
            iterations=runner.iter,
            wall_seconds=self._wall(),
            peak_memory=peak_memory(),
            updated=time.strftime('%Y-%m-%dT%H:%M:%S%z'),
        )
        self._write()

    def _wall(self) -> float:
        return round(self._wall_before + time.monotonic() - self._start, 1)

    def _write(self) -> None:
        if is_main_process():
            write_json(self._path, self.record)
