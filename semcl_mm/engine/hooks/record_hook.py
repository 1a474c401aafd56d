"""Each run leaves a record: what it was, where it came from, what came out."""

import atexit
import time
import uuid
from pathlib import Path

from mmengine.config import Config
from mmengine.dist import get_world_size, is_main_process
from mmengine.hooks import Hook
from mmengine.model import BaseTTAModel, is_model_wrapper

from semcl_mm.analysis.provenance import (
    as_published,
    config_hash,
    device_name,
    file_hash,
    git_commit,
    peak_memory,
    versions,
)
from semcl_mm.analysis.records import RECORD_NAME, SCHEMA, write_json
from semcl_mm.checkpoint import load_file
from semcl_mm.registry import HOOKS

__all__ = ['RunRecordHook']

#: Metrics of which the smallest value is the best one.
LOWER_IS_BETTER = ('loss', 'absrel', 'sqrel', 'rmse', 'rmselog', 'log10', 'silog')
#: ``paper_cell.protocol`` of papers that test so.
AVERAGED = 'multi-scale and flip'
_CARRIED = ('run_id', 'metrics_best', 'wall_seconds', 'initialised_from')


@HOOKS.register_module()
class RunRecordHook(Hook):
    """Writes ``<work_dir>/<timestamp>/record.json``; ``tools/analyze collect`` gathers them.

    The record is written when training starts (status ``running``), after every validation and
    at the end (``finished``; ``stopped`` where an error or a signal ended the process). It also
    goes into the checkpoints' ``meta['run']``: a downstream run knows what pretrained its
    backbone, and a resumed run carries on the best metrics and the wall time. A test over scales
    and flips (``tools/test.py --tta``) leaves a record of its own, which names this ``protocol``.
    """

    priority = 'VERY_LOW'

    def before_train(self, runner) -> None:
        """Note what is known before the first iteration."""
        self._start = time.monotonic()
        self._path = Path(runner.log_dir) / RECORD_NAME
        carried = getattr(self, '_resumed', None)
        self.record = {**_describe(runner), **(carried or {})}
        self.record.setdefault('run_id', uuid.uuid4().hex[:12])
        self.record.setdefault('initialised_from', _initial_weights(runner))
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
        self._update(runner, metrics_final=metrics)

    def after_test_epoch(self, runner, metrics: dict[str, float] | None = None) -> None:
        """Note what a finished run reaches when its predictions are averaged over scales."""
        run = getattr(self, '_loaded', None)
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        if metrics and run and isinstance(model, BaseTTAModel) and is_main_process():
            write_json(Path(runner.log_dir) / RECORD_NAME, _averaged(run, runner.cfg, metrics))

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        """Let the checkpoint say what made it."""
        if hasattr(self, 'record'):
            done = checkpoint['meta']['iter']  # the runner counts the current one as still to do
            self.record.update(iterations=done, wall_seconds=self._wall())
            checkpoint['meta']['run'] = dict(self.record)

    def after_train(self, runner) -> None:
        """Note the end."""
        atexit.unregister(self._stopped)
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


def _describe(runner) -> dict:
    cfg = runner.cfg
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    batch = runner.train_dataloader.batch_size
    accumulation = getattr(runner.optim_wrapper, '_accumulative_counts', 1)
    update_batch = batch * accumulation * get_world_size()
    return {
        'schema': SCHEMA,
        'name': Path(runner.work_dir).name,
        'config': str(cfg.filename),
        'config_hash': config_hash(cfg),
        'algorithm': type(model).__name__,
        'paper_cell': dict(cfg.paper_cell) if cfg.get('paper_cell') else None,
        'git_commit': git_commit(),
        'versions': versions(),
        'device': device_name(),
        'seed': runner.seed,
        'world_size': get_world_size(),
        'batch_size_per_process': batch,
        'accumulation': accumulation,
        'batch_size': update_batch,
        'as_published': as_published(cfg, update_batch),
        'pairs_of': cfg.get('pairs_of'),
        # fraction, seed, images: where the run trained on a part of the labels
        'label_subset': getattr(runner.train_dataloader.dataset, 'label_subset', None),
        'max_iters': runner.max_iters,
        'resumed_from': None,
        'started': time.strftime('%Y-%m-%dT%H:%M:%S%z'),
        'metrics_final': {},
    }


def _averaged(run: dict, cfg: Config, metrics: dict[str, float]) -> dict:
    """The record of a test with augmentations, from the record of the run that was tested."""
    published = Config.fromfile(cfg.filename)
    to_the_letter = (
        Path(run['config']).stem == Path(cfg.filename).stem
        and cfg.tta_pipeline == published.tta_pipeline
        and cfg.test_evaluator == published.test_evaluator
    )
    metrics = {key: float(value) for key, value in metrics.items()}
    return {
        **run,
        'run_id': f'{run["run_id"]}-tta',
        'name': f'{run["name"]}_tta',
        'config_hash': f'{run["config_hash"]}-tta',
        'protocol': AVERAGED,
        'status': 'finished' if run['iterations'] == run['max_iters'] else 'stopped',
        'as_published': run['as_published'] and to_the_letter,
        'started': time.strftime('%Y-%m-%dT%H:%M:%S%z'),
        'metrics_final': metrics,
        'metrics_best': metrics,
    }


def _initial_weights(runner) -> dict | str:
    """What the weights were before the first iteration: 'random', or a file and what made it."""
    pretrained = runner.cfg.get('pretrained')
    path = pretrained['checkpoint'] if pretrained else runner._load_from
    if not path:
        return 'random'
    trust = bool(pretrained and pretrained.get('trust'))
    meta = load_file(path, trust=trust).get('meta') or {}
    run = meta.get('run') or {}
    kept = ('run_id', 'name', 'algorithm', 'config', 'config_hash', 'as_published', 'pairs_of')
    kept += ('seed', 'iterations')
    return {
        'checkpoint': str(path),
        'sha256': file_hash(path),
        'source': meta.get('source') or meta.get('source_format'),
        'run': {key: run[key] for key in kept if key in run} or None,
    }
