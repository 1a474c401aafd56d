"""A linear classifier of pixels, for the linear protocol and for plain ViTs."""

from collections.abc import Sequence
from typing import Any

from mmcv.cnn import build_norm_layer
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from torch import Tensor, nn

from semcl_mm.registry import MODELS

__all__ = ['LinearHead']


@MODELS.register_module()
class LinearHead(BaseDecodeHead):
    """One 1 x 1 convolution on the features of a stage, or of several.

    Several stages are resized to the first of ``in_index`` and concatenated. By default nothing
    but the convolution is there. With ``norm_cfg`` the features are normalised before it; a batch
    norm without affine parameters (``dict(type='BN', affine=False)``) keeps the classifier linear
    and makes one learning rate fit features of any scale, which networks of different
    pretrainings have.

    Args:
        in_channels: Channels of the stage; a sequence with ``in_index``.
        num_classes: Number of classes.
        in_index: Which output of the backbone (or neck), or a sequence of these.
        norm_cfg: Norm before the convolution; None has none.
        dropout_ratio: Of mmseg's dropout before the convolution.
        kwargs: See mmseg's ``BaseDecodeHead``: ``align_corners``, ``loss_decode``, …
    """

    def __init__(
        self,
        in_channels: int | Sequence[int],
        num_classes: int,
        in_index: int | Sequence[int] = -1,
        norm_cfg: dict | None = None,
        dropout_ratio: float = 0.0,
        **kwargs: Any,
    ) -> None:
        several = not isinstance(in_channels, int)
        width = sum(in_channels) if several else in_channels
        super().__init__(
            in_channels=in_channels,
            channels=width,
            num_classes=num_classes,
            in_index=in_index,
            input_transform='resize_concat' if several else None,
            dropout_ratio=dropout_ratio,
            norm_cfg=norm_cfg,
            **kwargs,
        )
        self.norm = build_norm_layer(norm_cfg, width)[1] if norm_cfg else nn.Identity()

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Scores (N, num_classes, H, W) at the resolution of the first chosen stage."""
        return self.cls_seg(self.norm(self._transform_inputs(inputs)))
