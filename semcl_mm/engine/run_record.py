"""What the record of a run says: what it was, where it came from, on which data, what came out."""

import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.dist import get_world_size
from mmengine.model import BaseTTAModel, is_model_wrapper

from semcl_mm.analysis.provenance import (
    EVALUATION_SET,
    config_hash,
    deviations,
    device_name,
    evaluation_hash,
    file_hash,
    git_commit,
    read_published,
    size_deviations,
    versions,
)
from semcl_mm.analysis.records import SCHEMA, TRAINING
from semcl_mm.checkpoint import load_file

__all__ = ['AVERAGED', 'describe', 'initial_weights', 'record_of_test', 'training_scalars']

#: ``paper_cell.protocol`` of papers that test so.
AVERAGED = 'multi-scale and flip'
#: Protocol of a test that was set otherwise than the training's own.
CHANGED = 'other test settings'
_NOT_A_RESULT = re.compile(r'(.*/)?(data_time|time|.*lr)')


def describe(runner) -> dict:
    """What is known of a training before its first iteration."""
    cfg = runner.cfg
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    batch = runner.train_dataloader.batch_size
    accumulation = getattr(runner.optim_wrapper, '_accumulative_counts', 1)
    update_batch = batch * accumulation * get_world_size()
    data = _data_of(runner)
    departures = deviations(cfg, update_batch, data['samples'])
    return {
        'schema': SCHEMA,
        'name': Path(runner.work_dir).name,
        'config': str(cfg.filename),
        'config_hash': config_hash(cfg),
        'evaluation_hashes': [evaluation_hash(cfg, averaged) for averaged in (False, True)],
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
        'as_published': not departures,
        'deviations': departures,
        'pairs_of': cfg.get('pairs_of'),
        **data,
        'max_iters': runner.max_iters,
        'resumed_from': None,
        'started': _now(),
        'metrics_final': {},
    }


def _data_of(runner) -> dict:
    """The data of a training: how many, from which pair indices, and which part of the labels."""
    dataset = runner.train_dataloader.dataset
    subset = getattr(dataset, 'label_subset', None)
    samples = {'train': subset['of'] if subset else len(dataset)}
    if runner._val_loop is not None:
        samples['val'] = len(runner.val_dataloader.dataset)
    files = getattr(dataset, 'index_files', None)
    indices = files and [{**file, 'sha256': file_hash(file['path'])} for file in files]
    return {'samples': samples, 'pair_indices': indices, 'label_subset': subset}


def record_of_test(run: Mapping[str, Any], runner, metrics: Mapping[str, float]) -> dict:
    """The record of a test, from that of the run that is tested.

    A test over scales and flips names this ``protocol``; one in a single pass has none, and stands
    for its run as the last validation does. One that was set otherwise than the training's own,
    or uses another config, has a protocol that no table of a paper asks for. Of a run that had not
    ended the record says ``stopped``: no table shows it.

    Args:
        run: ``meta['run']`` of the checkpoint.
        runner: After its test.
        metrics: What it measured.
    """
    cfg, published = runner.cfg, read_published(runner.cfg)
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    averaged = isinstance(model, BaseTTAModel)
    own, theirs = (evaluation_hash(each, averaged) for each in (cfg, published))
    known = run.get('evaluation_hashes', [theirs, theirs])[averaged]
    same = own == known and Path(run['config']).stem == Path(cfg.filename).stem
    samples = {**run.get('samples', {}), 'val': len(runner.test_dataloader.dataset)}
    departures = {k: v for k, v in _deviations_of(run).items() if k != EVALUATION_SET}
    departures |= size_deviations(published, samples)
    if not same or own != theirs:
        departures['evaluation'] = f'other test settings than in {cfg.filename}'
    kind, protocol = ('tta', AVERAGED) if averaged else ('test', None)
    if not same:
        kind, protocol = f'{kind}-changed', ', '.join(filter(None, (protocol, CHANGED)))
    metrics = {key: float(value) for key, value in metrics.items()}
    return {
        **run,
        'run_id': f'{run["run_id"]}-{kind}',
        'tested_run': run['run_id'],
        'name': f'{run["name"]}_{kind}',
        'config_hash': run['config_hash'] + ('-tta' if averaged else ''),
        'tested_with': str(cfg.filename),
        'protocol': protocol,
        'status': 'finished' if run['iterations'] == run['max_iters'] else 'stopped',
        'as_published': not departures,
        'deviations': departures,
        'samples': samples,
        'started': _now(),
        'metrics_final': metrics,
        'metrics_best': metrics,
    }


def _deviations_of(run: Mapping[str, Any]) -> dict[str, str]:
    unknown = {} if run['as_published'] else {'settings': 'the record does not say which'}
    return run.get('deviations', unknown)


def training_scalars(runner) -> dict[str, float]:
    """What the training logged last, as ``train/loss``…, without times and learning rates.

    Losses and gradient norms are means over the log's window, as in the log; the others are as of
    the last iteration that reported them.
    """
    processor = runner.log_processor
    smoothed = re.compile(processor.mean_pattern)
    return {
        name: float(
            history.mean(processor.window_size) if smoothed.search(name) else history.current()
        )
        for name, history in runner.message_hub.log_scalars.items()
        if name.startswith(TRAINING) and not _NOT_A_RESULT.fullmatch(name)
    }


def _now() -> str:
    return time.strftime('%Y-%m-%dT%H:%M:%S%z')


def initial_weights(runner) -> dict | str:
    """What the weights were before the first iteration: 'random', or a file and what made it."""
    pretrained = runner.cfg.get('pretrained')
    path = pretrained['checkpoint'] if pretrained else runner._load_from
    if not path:
        return 'random'
    trust = bool(pretrained and pretrained.get('trust'))
    meta = load_file(path, trust=trust).get('meta') or {}
    run = meta.get('run') or {}
    kept = ('run_id', 'name', 'algorithm', 'config', 'config_hash', 'as_published', 'pairs_of')
    kept += ('deviations', 'seed', 'iterations')
    return {
        'checkpoint': str(path),
        'sha256': file_hash(path),
        'source': meta.get('source') or meta.get('source_format'),
        'run': {key: run[key] for key in kept if key in run} or None,
    }
