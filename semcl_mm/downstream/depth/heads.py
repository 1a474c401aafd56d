"""Two depth heads: UPerNet's, and a purely linear one for plain ViTs."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from mmseg.models import UPerHead
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from torch import Tensor, nn

from semcl_mm.downstream.depth.head_base import DepthHeadMixin
from semcl_mm.registry import MODELS

__all__ = ['LinearDepthHead', 'UPerDepthHead']


@MODELS.register_module()
class UPerDepthHead(DepthHeadMixin, UPerHead):
    """UPerNet (pyramid pooling and FPN on four stages) with one output, the depth.

    Predicts at the stride of the first stage, usually 4. Arguments: those of
    :class:`DepthHeadMixin` and of mmseg's ``UPerHead``.
    """


@MODELS.register_module()
class LinearDepthHead(DepthHeadMixin, BaseDecodeHead):
    """Transposed convolutions of stride 2 in a row, nothing between them, then the dilated sigmoid.

    The "linear series of 4 up-projection convolutions with a stride of 2" of the local-to-global
    paper (§4.3): C -> C/2 -> C/4 -> C/8 -> 1 channels from patches of 16 x 16 pixels to pixels. The
    score is an affine function of the features. Channels and kernel are not stated there; a kernel
    of 4 with padding 1 doubles the size exactly and, unlike 2, lets neighbours overlap.

    Args:
        in_channels: Channels of the feature map, divisible by ``2 ** (num_upsamplings - 1)``.
        in_index: Which output of the backbone.
        num_upsamplings: How often the size is doubled: log2 of the stride.
        kernel_size: 4 (padding 1) or 2.
        kwargs: See :class:`DepthHeadMixin`.

    Raises:
        ValueError: For channels or a kernel that do not fit.
    """

    def __init__(
        self,
        in_channels: int,
        in_index: int = -1,
        num_upsamplings: int = 4,
        kernel_size: int = 4,
        **kwargs: Any,
    ) -> None:
        steps = num_upsamplings - 1
        if steps < 0 or in_channels % 2**steps:
            raise ValueError(
                f'{in_channels} channels cannot be halved in each of {num_upsamplings} steps'
            )
        if kernel_size not in (2, 4):
            raise ValueError(f'kernel_size must be 2 or 4, got {kernel_size}')
        super().__init__(
            in_channels=in_channels,
            channels=in_channels // 2**steps,
            in_index=in_index,
            dropout_ratio=0,
            init_cfg=None,
            **kwargs,
        )
        widths = [in_channels // 2**step for step in range(steps + 1)]
        up = dict(kernel_size=kernel_size, stride=2, padding=kernel_size // 2 - 1)
        self.upsamplings = nn.Sequential(
            *(nn.ConvTranspose2d(a, b, **up) for a, b in pairwise(widths))
        )
        self.conv_seg = nn.ConvTranspose2d(widths[-1], 1, **up)  # in place of mmseg's classifier

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Depth (N, 1, h, w) in metres, at ``2 ** num_upsamplings`` times the features' size."""
        x = self.upsamplings(self._transform_inputs(features))
        return self.to_metres(self.conv_seg(x))
