"""Move the target encoder, once per optimiser step."""

import math

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper

from semcl_mm.registry import HOOKS

__all__ = ['MomentumUpdateHook']

SCHEDULES = ('cosine', 'constant')


@HOOKS.register_module()
class MomentumUpdateHook(Hook):
    """Calls ``model.update_target(m)`` after each optimiser step.

    ``m(step) = 1 - (1 - momentum) * (1 + cos(pi * step / total)) / 2`` rises on half a cosine and
    is exactly 1 at the last step (SemCL Sec. 4, after MoCo v3). ``step`` counts the optimiser
    steps done, this one included, so that gradient accumulation changes nothing. It follows from
    the iteration number alone: a resumed run needs no state.

    The authors average before the keys are computed, with the momentum of that iteration. That is
    this update one step earlier with the same number, since the first of theirs changes nothing.
    PixCon's code averages after the step, as here, but counts from 0: its last step is a little
    below 1, and each of its steps has the momentum that ours has one step earlier.

    Args:
        momentum: m at the beginning, in [0, 1].
        schedule: ``'cosine'`` or ``'constant'``.

    Raises:
        ValueError: An argument is out of range; at the start of training: the model has no
            target encoder.
    """

    priority = 'NORMAL'

    def __init__(self, momentum: float = 0.99, schedule: str = 'cosine') -> None:
        if not 0 <= momentum <= 1:
            raise ValueError(f'momentum must be in [0, 1], got {momentum}')
        if schedule not in SCHEDULES:
            raise ValueError(f'schedule must be one of {", ".join(SCHEDULES)}; got {schedule!r}')
        self.momentum = momentum
        self.schedule = schedule

    def momentum_at(self, step: int, total: int) -> float:
        """The momentum of optimiser step ``step`` (1…total)."""
        if self.schedule == 'constant':
            return self.momentum
        if step >= total:
            return 1.0
        return 1 - (1 - self.momentum) * (1 + math.cos(math.pi * step / total)) / 2

    def before_train(self, runner) -> None:
        """Check that there is a target encoder to move."""
        model = _unwrap(runner.model)
        if not hasattr(model, 'update_target'):
            raise ValueError(
                f'MomentumUpdateHook: {type(model).__name__} has no target encoder '
                '(update_target); remove the hook from custom_hooks'
            )

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        """Average, if the parameters have just been updated."""
        if not runner.optim_wrapper.should_update():
            return
        per_step = runner.optim_wrapper._accumulative_counts
        step = math.ceil((runner.iter + 1) / per_step)
        momentum = self.momentum_at(step, math.ceil(runner.max_iters / per_step))
        _unwrap(runner.model).update_target(momentum)
        runner.message_hub.update_scalar('train/target_momentum', momentum)


def _unwrap(model):
    return model.module if is_model_wrapper(model) else model
