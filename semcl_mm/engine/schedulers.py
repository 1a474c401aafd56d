"""The 1cycle schedule (Smith & Topin, 2017) in optimiser steps, and warm-ups of short runs."""

import math
import warnings
from collections.abc import Mapping

from mmengine.optim.scheduler.param_scheduler import INF, OptimizerType, _ParamScheduler

from semcl_mm.registry import PARAM_SCHEDULERS

__all__ = ['OneCycle', 'fit_warm_up']


@PARAM_SCHEDULERS.register_module()
class OneCycle(_ParamScheduler):
    """Learning rate up, then down on cosines; Adam's beta1 (or SGD's momentum) the other way.

    Gives exactly the numbers of ``torch.optim.lr_scheduler.OneCycleLR`` with two phases and
    cosine annealing, the peak being each parameter group's own ``lr``. Counted in optimiser
    steps: with gradient accumulation the values change when the parameters do. Every value
    follows from the step number, so that a resumed run repeats an unbroken one exactly.

    SemCL: 30k steps, peak at 12.5 %, and beta1 .95 -> .85 -> .95, which the paper does not name
    but its code inherits from torch's default.

    Args:
        optimizer: The optimiser wrapper, given by the runner.
        total_steps: Optimiser steps of the whole cycle. None: all steps of the run.
        pct_start: Share of the cycle that rises, in (0, 1).
        div_factor: Peak over initial learning rate.
        final_div_factor: Initial over final learning rate.
        cycle_momentum: Cycle beta1 (or momentum) as well.
        base_momentum: beta1 at the peak of the learning rate.
        max_momentum: beta1 at both ends.
        begin: First iteration; only 0.
        end: Last iteration, given by the runner (``max_iters``).
        last_step: See MMEngine.
        by_epoch: Only False.
        verbose: Print the learning rates.

    Raises:
        ValueError: The cycle is shorter than the run, or an argument is out of range.
    """

    def __init__(
        self,
        optimizer: OptimizerType,
        total_steps: int | None = None,
        pct_start: float = 0.125,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        cycle_momentum: bool = True,
        base_momentum: float = 0.85,
        max_momentum: float = 0.95,
        begin: int = 0,
        end: int = INF,
        last_step: int = -1,
        by_epoch: bool = False,
        verbose: bool = False,
    ) -> None:
        if by_epoch or begin != 0:
            raise ValueError('OneCycle counts iterations from 0: by_epoch=False, begin=0')
        if not 0 < pct_start < 1:
            raise ValueError(f'pct_start must be in (0, 1), got {pct_start}')
        self.accumulation = getattr(optimizer, '_accumulative_counts', 1)
        run_steps = math.ceil(end / self.accumulation)
        if total_steps is None:
            if end == INF:
                raise ValueError('OneCycle needs total_steps outside a runner')
            total_steps = run_steps
        if end != INF and run_steps > total_steps:
            raise ValueError(
                f'OneCycle(total_steps={total_steps}) is shorter than the run of {run_steps} '
                f'optimiser steps ({end} iterations, {self.accumulation} per step)'
            )
        self.total_steps = total_steps
        self.pct_start = pct_start
        self.div_factor, self.final_div_factor = div_factor, final_div_factor
        self.momentum_range = (max_momentum, base_momentum) if cycle_momentum else None
        super().__init__(optimizer, 'lr', begin, end, last_step, by_epoch, verbose)

    def step(self) -> None:
        """Set the values of the next iteration."""
        with warnings.catch_warnings():
            if self.accumulation > 1:  # the first iterations step the schedule, not the optimiser
                warnings.filterwarnings('ignore', 'Detected call of `scheduler.step', UserWarning)
            super().step()
        if self.momentum_range is None or not self.begin <= self._global_step < self.end:
            return
        high, low = self.momentum_range
        momentum = self._anneal(high, low, high)
        for group in self.optimizer.param_groups:
            if 'betas' in group:
                group['betas'] = (momentum, *group['betas'][1:])
            else:
                group['momentum'] = momentum

    def _get_value(self) -> list[float]:
        values = []
        for peak in self.base_values:
            initial = peak / self.div_factor
            values.append(self._anneal(initial, peak, initial / self.final_div_factor))
        return values

    def _anneal(self, first: float, middle: float, last: float) -> float:
        """Two cosine pieces; the operations are torch's, in torch's order."""
        step = self.last_step // self.accumulation
        turn = float(self.pct_start * self.total_steps) - 1
        if turn > 0 and step <= turn:
            start, end, fraction = first, middle, step / turn
        else:  # a cycle of so few steps that none rises starts here
            start, end = middle, last
            fraction = (step - turn) / (self.total_steps - 1 - turn)
        return end + (start - end) / 2.0 * (math.cos(math.pi * fraction) + 1)


def fit_warm_up(configs: list, length: int | None) -> list:
    """Shorten a warm-up that would outlast a trial run, after which MMEngine accepts nothing.

    Args:
        configs: Configs of schedules, counted in iterations; others are left alone.
        length: Iterations of the run; None: it is not known.

    Returns:
        ``configs`` itself where they fit; else copies whose warm-up takes a tenth of the run, of a
        run of 2-9 iterations the first, and of a run of one iteration none.
    """
    counted = all(isinstance(c, Mapping) and c.get('by_epoch') is False for c in configs)
    latest = max((c.get('begin', 0) for c in configs), default=0) if counted else 0
    if length is None or latest < length:
        return configs
    start = max(length // 10, min(length // 2, 1))
    fitted = [dict(c, begin=min(c.get('begin', 0), start)) for c in configs]
    for config in fitted:
        if 'end' in config:
            config['end'] = min(config['end'], start if config['end'] <= latest else length)
    return [c for c in fitted if c.get('end', length) > c['begin']]
