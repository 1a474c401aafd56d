"""Faster R-CNN on a ResNet's fourth block of convolutions (C4), whose last stage is the box head.

mmdet's C4 detectors hold the last stage outside the backbone: a checkpoint for the backbone then
leaves it at random. Here it stays where the checkpoint has it.
"""

from typing import Any

from mmcv.cnn import build_norm_layer
from mmdet.models import FasterRCNN
from mmengine.model import BaseModule
from mmpretrain.models import ResNet
from torch import Tensor, nn

from semcl_mm.registry import MODELS

__all__ = ['C4FasterRCNN', 'C4ResNet', 'LastStageHead']


@MODELS.register_module()
class C4ResNet(ResNet):
    """mmpretrain's ResNet that holds all four stages and runs the first three of them.

    Args:
        kwargs: See mmpretrain's ``ResNet``; ``out_indices`` is fixed.
    """

    def __init__(self, depth: int, **kwargs: Any) -> None:
        super().__init__(depth, num_stages=4, out_indices=(3,), **kwargs)
        *first, self._last = self.res_layers
        self.res_layers, self.out_indices = first, (len(first) - 1,)

    @property
    def last_stage(self) -> nn.Module:
        """What turns the output's crops (N, 1024, 14, 14) into (N, 2048, 7, 7)."""
        return getattr(self, self._last)


@MODELS.register_module()
class LastStageHead(BaseModule):
    """The backbone's last stage on crops of regions, then a norm of its own (MoCo's recipe).

    The stage belongs to the backbone: its weights are loaded, trained and saved there.

    Args:
        channels: Of the stage's output.
        norm_cfg: The norm behind the stage.
        init_cfg: MMEngine's initialisation config.
    """

    def __init__(
        self, channels: int, norm_cfg: dict, init_cfg: dict | list[dict] | None = None
    ) -> None:
        super().__init__(init_cfg)
        self.norm = build_norm_layer(norm_cfg, channels)[1]
        self._stage: tuple[nn.Module, ...] = ()  # a tuple: no second owner of the weights

    def attach(self, stage: nn.Module) -> None:
        """Use this stage."""
        self._stage = (stage,)

    def forward(self, regions: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, channels, H / 2, W / 2)."""
        (stage,) = self._stage
        return self.norm(stage(regions))


@MODELS.register_module()
class C4FasterRCNN(FasterRCNN):
    """mmdet's Faster R-CNN on a :class:`C4ResNet`, with a :class:`LastStageHead` as shared head.

    Args:
        kwargs: See mmdet's ``FasterRCNN``.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.roi_head.shared_head.attach(self.backbone.last_stage)
