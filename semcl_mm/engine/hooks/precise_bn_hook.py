"""Exact statistics for batch norm before a model is judged."""

from collections.abc import Iterator
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from semcl_mm.distributed import all_gather
from semcl_mm.engine.run_state import random_state, restore_random_state
from semcl_mm.registry import HOOKS

__all__ = ['PreciseBNHook']


@HOOKS.register_module()
class PreciseBNHook(Hook):
    """Replaces running statistics by the mean over many batches of the weights as they are.

    Detectron2's PreciseBN: the statistics of each batch norm in training mode are averaged over
    ``iterations`` training batches, without gradients, before a validation (and the checkpoint of
    that iteration). Norms in evaluation mode (frozen ones) are left alone, and so are the random
    numbers and the data of the training.

    mmpretrain's hook restarts the loader that the training is reading from, and runs detectors in
    a mode in which no training batch passes their heads.

    Args:
        interval: Iterations between two recomputations; None: as often as the run validates. The
            last iteration always has one.
        iterations: Batches per process.
    """

    priority = 'ABOVE_NORMAL'  # before the checkpoint is written

    def __init__(self, interval: int | None = None, iterations: int = 200) -> None:
        if iterations < 1 or (interval is not None and interval < 1):
            raise ValueError(f'interval {interval} and iterations {iterations} must be at least 1')
        self.interval, self.iterations = interval, iterations

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: dict | None = None
    ) -> None:
        """Recompute where it is time to."""
        interval = self.interval or runner.val_interval
        if self.every_n_train_iters(runner, interval) or self.is_last_train_iter(runner):
            before = random_state()
            batches = _batches(runner, seed=(runner.seed or 0) + runner.iter + 1)
            model = runner.model.module if is_model_wrapper(runner.model) else runner.model
            recompute_statistics(model, batches, self.iterations)
            restore_random_state(before)


@torch.no_grad()
def recompute_statistics(model: nn.Module, batches: Iterator[dict], iterations: int) -> None:
    """Average the statistics of batch norms in training mode over batches, and over processes.

    Args:
        model: MMEngine's model; batches pass its training step without an update.
        batches: What its data preprocessor takes.
        iterations: How many of them.
    """
    norms = [m for m in model.modules() if isinstance(m, _BatchNorm) and m.training]
    norms = [norm for norm in norms if norm.track_running_stats]
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    sums = [torch.zeros_like(torch.cat([n.running_mean, n.running_var])) for n in norms]
    # A norm that a batch does not reach (a mask head without objects) keeps what it had.
    reached = [torch.zeros_like(norm.running_mean[:1]) for norm in norms]
    for norm in norms:
        norm.momentum = 1.0  # the running statistics are then those of the batch
    before = [norm.num_batches_tracked.clone() for norm in norms]
    known = [torch.cat([norm.running_mean, norm.running_var]) for norm in norms]
    for _ in range(iterations):
        counts = [norm.num_batches_tracked.clone() for norm in norms]
        data = model.data_preprocessor(next(batches), True)
        model(**data, mode='loss')
        for norm, total, count, seen in zip(norms, sums, counts, reached, strict=True):
            used = (norm.num_batches_tracked > count).float()
            total += used * torch.cat([norm.running_mean, norm.running_var])
            seen += used
    for number, norm in enumerate(norms):
        row = torch.cat([sums[number], reached[number]])[None]
        total = all_gather(row).sum(dim=0)
        mean = torch.where(total[-1] > 0, total[:-1] / total[-1].clamp(min=1), known[number])
        norm.running_mean.copy_(mean[: norm.num_features])
        norm.running_var.copy_(mean[norm.num_features :])
        norm.num_batches_tracked.copy_(before[number])
        norm.momentum = momenta[number]


def _batches(runner: Any, seed: int) -> Iterator[dict]:
    """Training batches from a loader of their own, drawn with a seed of their own."""
    config = {**runner.cfg.train_dataloader, 'persistent_workers': False}
    loader = runner.build_dataloader(config, seed=seed)
    while True:
        yield from loader
