"""Log every iteration's scalars without waiting for the device in every iteration."""

import math

import torch
from mmengine.dist import all_reduce
from mmengine.hooks import LoggerHook, RuntimeInfoHook
from torch import Tensor

from semcl_mm.registry import HOOKS

__all__ = ['DeferredRuntimeInfoHook', 'NonFiniteLossError']


class NonFiniteLossError(ValueError):
    """The loss became NaN or infinite: training cannot go on."""


@HOOKS.register_module()
class DeferredRuntimeInfoHook(RuntimeInfoHook):
    """MMEngine's hook, which reads every scalar in every iteration, without waiting for the device.

    The scalars of all iterations are copied to the host in one transfer, when somebody wants to
    read them: at the logger's interval, before a checkpoint, before validation and at the end.
    The history that the logger smooths is the same, number by number.

    At the same moments the loss is checked, over all processes: training stops with an error
    before weights spoilt by a NaN are saved.

    Args:
        interval: Iterations between two transfers; None takes the logger's interval.
        check_finite: Stop where a loss is NaN or infinite.

    Raises:
        NonFiniteLossError: While training, naming the first iteration and the scalar.
    """

    def __init__(self, interval: int | None = None, check_finite: bool = True) -> None:
        super().__init__()
        if interval is not None and interval < 1:
            raise ValueError(f'interval must be at least 1, got {interval}')
        self.interval = interval
        self.check_finite = check_finite
        self._pending: list[tuple[int, dict[str, Tensor | float]]] = []

    def before_train(self, runner) -> None:
        """Find out how often the logger reads."""
        super().before_train(runner)
        intervals = [hook.interval for hook in runner.hooks if isinstance(hook, LoggerHook)]
        own = [self.interval] if self.interval else []
        self._intervals = own + intervals or [1]

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        """Keep the scalars; transfer them where the logger will read them."""
        scalars = {key: _detached(value) for key, value in (outputs or {}).items()}
        norm = getattr(runner.optim_wrapper, 'gradient_norm', None)
        if norm is not None:
            scalars['grad_norm'] = norm
        self._pending.append((runner.iter, scalars))
        if (
            any(self.every_n_inner_iters(batch_idx, n) for n in self._intervals)
            or any(self.every_n_train_iters(runner, n) for n in self._intervals)
            or self.end_of_epoch(runner.train_dataloader, batch_idx)
            or self.is_last_train_iter(runner)
        ):
            self.flush_scalars(runner)

    def before_val(self, runner) -> None:
        """The validation loop may read the training scalars."""
        self.flush_scalars(runner)
        super().before_val(runner)

    def flush_scalars(self, runner) -> None:
        """Transfer what is pending to the message hub; called before a checkpoint as well.

        Every process must call it at the same iteration.
        """
        if not self._pending:
            return
        pending, self._pending = self._pending, []
        values = _to_host([value for _, scalars in pending for value in scalars.values()])
        names = [(iteration, key) for iteration, scalars in pending for key in scalars]
        first_bad = None
        for (iteration, key), value in zip(names, values, strict=True):
            runner.message_hub.update_scalar(f'train/{key}', value)
            if 'loss' in key and not math.isfinite(value) and first_bad is None:
                first_bad = f'{key} is {value} in iteration {iteration + 1}'
        if self.check_finite:
            _stop_everywhere(first_bad)


def _detached(value: Tensor | float) -> Tensor | float:
    return value.detach() if isinstance(value, Tensor) else value


def _to_host(values: list[Tensor | float]) -> list[float]:
    """One transfer per device (and data type) instead of one per scalar."""
    groups: dict[tuple, list[int]] = {}
    for index, value in enumerate(values):
        if isinstance(value, Tensor):
            groups.setdefault((value.device, value.dtype), []).append(index)
    host = list(values)
    for indices in groups.values():
        stacked = torch.stack([values[index].reshape(()) for index in indices]).tolist()
        for index, number in zip(indices, stacked, strict=True):
            host[index] = number
    return [float(number) for number in host]


def _stop_everywhere(first_bad: str | None) -> None:
    """Raise in all processes if one of them has a bad loss."""
    bad = torch.tensor(float(first_bad is not None))
    all_reduce(bad, op='max')
    if first_bad is not None or bad.item():
        raise NonFiniteLossError(
            f'training stopped: {first_bad or "a loss of another process is not finite"}. '
            'Lower the learning rate, lengthen the warm-up or train without AMP; resume from the '
            'last checkpoint, which was written before'
        )
