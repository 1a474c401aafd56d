"""The base of every method with a momentum (target) encoder."""

import copy
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from mmpretrain.models.selfsup import BaseSelfSupervisor
from torch import Tensor, nn
from torch.nn.modules.instancenorm import _InstanceNorm

from .building import ModuleConfig, build_module
from .stem import freeze_stem

__all__ = ['MomentumEncoder', 'has_batch_statistics']

Features = Tensor | tuple[Tensor, ...]


def has_batch_statistics(module: nn.Module) -> bool:
    """Whether a forward pass now would normalise over the images of its batch.

    True where a batch norm of any kind is in training mode or tracks no running statistics. Such
    a module must see each view and role on its own: in one batch they would share statistics.
    """
    return any(
        layer.training or layer.running_var is None
        for layer in module.modules()
        if hasattr(layer, 'running_var') and not isinstance(layer, _InstanceNorm)
    )


class MomentumEncoder(BaseSelfSupervisor):
    """An online encoder (backbone, projector, predictor) and its slow copy, the target encoder.

    The target gets no gradient, starts equal to the online encoder and follows it as
    ``target <- m * target + (1 - m) * online`` once per optimiser step
    (:class:`semcl_mm.engine.MomentumUpdateHook` calls :meth:`update_target`). Parameters alone
    are averaged: batch-norm buffers of the target follow its own batches, and it stays in
    training mode (drop path and batch statistics are on), as in MoCo v3.

    A method subclasses this, calls :meth:`add_target` for further modules that have a slow copy,
    and writes ``loss(inputs, data_samples) -> dict``.

    State-dict prefixes: ``backbone.``, ``projector.``, ``predictor.``, ``target_backbone.``,
    ``target_projector.``.

    Args:
        backbone: Config of any backbone that returns maps or vectors (mmpretrain, mmseg, timm
            through :class:`TimmBackbone`). Every parameter must take part in the output that the
            method uses: choose ``out_indices`` accordingly (DDP counts the gradients).
        projector: Config of the module on the backbone's output, or None.
        predictor: Config of the online encoder's extra head, or None.
        data_preprocessor: Config of the data preprocessor; None is mmpretrain's default.
        stop_grad_conv1: Freeze the first convolution of the backbone.
        batch_views: ``'auto'`` sends several groups of images through the backbone in one pass
            where that is mathematically the same (no batch statistics in it), True always, False
            never.
        init_cfg: MMEngine's initialisation config of the whole model. The target is copied
            after it; to start from a target of its own, load a full checkpoint (``load_from``).

    Raises:
        ValueError: ``batch_views`` is none of these, or the stem of the backbone is unknown.
    """

    build = staticmethod(build_module)

    def __init__(
        self,
        backbone: ModuleConfig,
        projector: ModuleConfig | None = None,
        predictor: ModuleConfig | None = None,
        *,
        data_preprocessor: ModuleConfig | None = None,
        stop_grad_conv1: bool = False,
        batch_views: bool | str = 'auto',
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(backbone, data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        if batch_views not in ('auto', True, False):
            raise ValueError(f"batch_views must be 'auto', True or False, got {batch_views!r}")
        self.batch_views = batch_views
        self.projector = self.build(projector)
        self.predictor = self.build(predictor)
        if stop_grad_conv1:
            freeze_stem(self.backbone)
        self._targets: list[str] = []
        self.add_target('backbone')
        self.add_target('projector')

    def add_target(self, name: str) -> None:
        """Give the online module ``name`` a slow copy ``target_<name>`` (None has none)."""
        online = getattr(self, name)
        if online is None:
            setattr(self, f'target_{name}', None)
            return
        target = copy.deepcopy(online).requires_grad_(False)
        target.is_init = True  # the copy is what initialises it, see init_weights
        setattr(self, f'target_{name}', target)
        self._targets.append(name)

    def init_weights(self) -> None:
        """Initialise the online encoder, then copy it to the target."""
        super().init_weights()
        self.reset_target()

    @torch.no_grad()
    def reset_target(self) -> None:
        """Copy parameters and buffers of the online encoder to the target encoder."""
        for name in self._targets:
            getattr(self, f'target_{name}').load_state_dict(getattr(self, name).state_dict())

    def parameter_pairs(self) -> Iterator[tuple[nn.Parameter, nn.Parameter]]:
        """Pairs (target parameter, online parameter) that the moving average joins."""
        for name in self._targets:
            target, online = getattr(self, f'target_{name}'), getattr(self, name)
            yield from zip(target.parameters(), online.parameters(), strict=True)

    @torch.no_grad()
    def update_target(self, momentum: float) -> None:
        """``target <- momentum * target + (1 - momentum) * online``, all parameters at once.

        Args:
            momentum: Share of the old target, in [0, 1]: a Python number, so that nothing waits
                for the device.

        Raises:
            ValueError: ``momentum`` is outside [0, 1].
        """
        if not 0 <= momentum <= 1:
            raise ValueError(f'momentum must be in [0, 1], got {momentum}')
        targets, onlines = zip(*self.parameter_pairs(), strict=True)
        torch._foreach_lerp_(targets, onlines, 1 - momentum)

    def encode_groups(self, backbone: nn.Module, groups: Sequence[Tensor]) -> list[Any]:
        """Backbone features of several groups of images (a group: one view of one role).

        One pass serves all groups where no layer normalises over the batch; otherwise every
        group has its own pass and with it its own statistics.

        Args:
            backbone: The online or the target backbone.
            groups: Images, each (B, 3, H, W).

        Returns:
            What the backbone returns for each group.
        """
        same_size = len({tuple(group.shape) for group in groups}) == 1
        together = self.batch_views
        if together == 'auto':
            together = not has_batch_statistics(backbone)
        if not (together and same_size):
            return [backbone(group) for group in groups]
        features = backbone(torch.cat(tuple(groups)))
        if isinstance(features, Tensor):
            return list(features.chunk(len(groups)))
        return list(zip(*(level.chunk(len(groups)) for level in features), strict=True))
