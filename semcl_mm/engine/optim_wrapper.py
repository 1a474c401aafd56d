"""Optimiser wrappers that do not wait for the device, and a constructor with few groups."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.device import get_device
from mmengine.logging import MMLogger, print_log
from mmengine.optim import DefaultOptimWrapperConstructor
from mmengine.optim import OptimWrapper as BaseOptimWrapper
from mmengine.registry import OPTIM_WRAPPERS, OPTIMIZERS
from torch import Tensor, nn

from semcl_mm.registry import OPTIM_WRAPPER_CONSTRUCTORS

__all__ = ['AmpOptimWrapper', 'GroupedOptimWrapperConstructor', 'OptimWrapper']


class OptimWrapper(BaseOptimWrapper):
    """MMEngine's wrapper, whose gradient clipping leaves the norm on the device.

    MMEngine's converts it to a number in every step, which waits for the device.
    :class:`semcl_mm.engine.DeferredRuntimeInfoHook` logs it as ``grad_norm``.

    Attributes:
        gradient_norm: Norm before clipping, of the last step that clipped; None without clipping.
        gradients_come_back: Whether a run that is resumed between two steps gets the gradients
            that it had accumulated (:class:`semcl_mm.engine.hooks.ExactResumeHook`).
    """

    gradient_norm: Tensor | None = None
    gradients_come_back: bool = False

    def initialize_count_status(self, model: nn.Module, init_counts: int, max_counts: int) -> None:
        """Start counting iterations; MMEngine warns of lost gradients where they are lost."""
        resumed_at = 0 if self.gradients_come_back else init_counts
        super().initialize_count_status(model, resumed_at, max_counts)
        self._inner_count = init_counts

    def _clip_grad(self) -> None:
        parameters = [
            parameter
            for group in self.optimizer.param_groups
            for parameter in group['params']
            if parameter.grad is not None
        ]
        if parameters:
            self.gradient_norm = self.clip_func(parameters, **self.clip_grad_kwargs)


class AmpOptimWrapper(OptimWrapper):
    """Mixed precision on GPU and CPU: bfloat16, or float16 with loss scaling.

    bfloat16 has float32's range: no loss is scaled and no step skipped, so nothing waits for the
    device. With float16 the scaler must know in each step whether a gradient overflowed; an
    optimiser with ``fused=True`` finds that out on the device. A step skipped for overflow still
    counts in the schedules.

    A CPU without instructions for the type emulates them, up to thirty times slower than float32:
    there the network runs in float32, and the log says so.

    Args:
        dtype: ``'bfloat16'`` or ``'float16'``.
        loss_scale: ``'dynamic'``, a constant scale, or the arguments of ``torch.amp.GradScaler``;
            float16 alone.
        **kwargs: ``optimizer``, ``accumulative_counts``, ``clip_grad``.

    Raises:
        ValueError: The type is neither.
    """

    def __init__(
        self, dtype: str = 'bfloat16', loss_scale: str | float | dict = 'dynamic', **kwargs
    ) -> None:
        super().__init__(**kwargs)
        if dtype not in ('bfloat16', 'float16'):
            raise ValueError(f"AMP dtype must be 'bfloat16' or 'float16', got {dtype!r}")
        self.cast_dtype = getattr(torch, dtype)
        self.lowers_precision = _device_type() != 'cpu' or _cpu_computes_in(dtype)
        if not self.lowers_precision:
            print_log(
                f'this CPU has no {dtype} instructions and would be many times slower with them '
                'emulated: the network runs in float32',
                'current',
                logging.WARNING,
            )
        self.loss_scaler = None
        self.constant_scale = None
        if dtype == 'float16':
            options = loss_scale if isinstance(loss_scale, dict) else {}
            if isinstance(loss_scale, (int, float)):
                self.constant_scale = options['init_scale'] = float(loss_scale)
            self.loss_scaler = torch.amp.GradScaler(_device_type(), **options)

    def backward(self, loss: Tensor, **kwargs) -> None:
        """Differentiate the loss, scaled where needed."""
        scaled = loss if self.loss_scaler is None else self.loss_scaler.scale(loss)
        super().backward(scaled, **kwargs)

    def step(self, **kwargs) -> None:
        """Clip and step; with float16, unless a gradient overflowed."""
        if self.loss_scaler is None:
            super().step(**kwargs)
            return
        if self.clip_grad_kwargs:
            self.loss_scaler.unscale_(self.optimizer)
            self._clip_grad()
        self.loss_scaler.step(self.optimizer, **kwargs)
        self.loss_scaler.update(self.constant_scale)

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Autocast the forward pass; no gradient synchronisation while accumulating."""
        autocast = torch.autocast(
            _device_type(), dtype=self.cast_dtype, enabled=self.lowers_precision
        )
        with super().optim_context(model), autocast:
            yield

    def state_dict(self) -> dict:
        """The optimiser's state and the scaler's."""
        state = super().state_dict()
        if self.loss_scaler is not None:
            state['loss_scaler'] = self.loss_scaler.state_dict()
        return state

    def load_state_dict(self, state_dict: dict) -> None:
        """Restore both; a state of another precision has no use for the scaler."""
        scaler = state_dict.pop('loss_scaler', None)
        if scaler is not None and self.loss_scaler is not None:
            self.loss_scaler.load_state_dict(scaler)
        super().load_state_dict(state_dict)


def _device_type() -> str:
    return get_device().split(':')[0]


def _cpu_computes_in(dtype: str) -> bool:
    """Whether convolutions in ``dtype`` are native to this CPU."""
    if not torch.backends.mkldnn.is_available():
        return False
    if dtype == 'bfloat16':
        return torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return torch.ops.mkldnn._is_mkldnn_fp16_supported()


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class GroupedOptimWrapperConstructor(DefaultOptimWrapperConstructor):
    """MMEngine's rules for parameters, with one group per distinct setting.

    MMEngine makes a group of every parameter as soon as there is a ``paramwise_cfg`` (no weight
    decay on norms and biases, say), and foreach optimisers then run tensor by tensor. It also
    hands frozen parameters to the optimiser: here they stay out, such as the whole target
    encoder. A parameter that is unfrozen later is therefore not trained.

    Config: ``optim_wrapper = dict(constructor=GroupedOptimWrapperConstructor, paramwise_cfg=…)``.
    """

    def __call__(self, model: nn.Module) -> BaseOptimWrapper:
        """Build the wrapper for a model."""
        model = getattr(model, 'module', model)
        if self.paramwise_cfg:
            entries: list[dict] = []
            with _silence():
                self.add_params(entries, model)
        else:
            entries = [{'params': list(model.parameters())}]
        groups = _merged(entries)
        for group in groups:
            settings = {key: value for key, value in group.items() if key != 'params'}
            count = len(group['params'])
            print_log(f'parameter group: {count} tensors, {settings or "defaults"}', 'current')
        optimizer = OPTIMIZERS.build(dict(self.optimizer_cfg, params=groups))
        config = dict(self.optim_wrapper_cfg)
        config.setdefault('type', OptimWrapper)
        return OPTIM_WRAPPERS.build(config, default_args=dict(optimizer=optimizer))


@contextmanager
def _silence() -> Iterator[None]:
    """MMEngine logs every parameter, frozen ones as warnings: pages for a target encoder."""
    logger = MMLogger.get_current_instance()
    disabled, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = disabled


def _merged(entries: list[dict]) -> list[dict]:
    """Parameter groups with equal settings become one, in order of appearance."""
    groups: dict[tuple, dict] = {}
    for entry in entries:
        settings = {key: value for key, value in entry.items() if key != 'params'}
        trained = [parameter for parameter in entry['params'] if parameter.requires_grad]
        if trained:
            key = tuple(sorted((name, repr(value)) for name, value in settings.items()))
            groups.setdefault(key, {'params': [], **settings})['params'] += trained
    return list(groups.values())
