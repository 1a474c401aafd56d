"""Heads that embed every cell of a feature map: 1 x 1 convolutions, a linear layer per cell."""

from collections.abc import Sequence

from mmengine.model import BaseModule
from mmpretrain.models.utils import build_norm_layer
from torch import Tensor, nn

from semcl_mm.registry import MODELS

__all__ = ['DenseMLPHead']


@MODELS.register_module()
class DenseMLPHead(BaseModule):
    """Convolution 1 x 1, (norm,) ReLU, convolution 1 x 1; all with bias.

    Without a norm this is the head of CACL (paper, "Network structure") and DenseCL; with
    ``norm_cfg=dict(type='BN')``, which the runner makes synchronised, that of PixCon's code.

    Args:
        in_channels: Channels of the feature map.
        hidden_channels: Channels between the convolutions; 0 keeps ``in_channels`` (CACL).
        out_channels: Channels of the embedding.
        norm_cfg: Config of a norm behind the first convolution; an empty dict means none.
        init_cfg: MMEngine's initialisation config; None keeps PyTorch's default.
    """

    def __init__(
        self,
        in_channels: int,
        hidden_channels: int = 0,
        out_channels: int = 128,
        norm_cfg: dict | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        hidden_channels = hidden_channels or in_channels
        self.out_channels = out_channels
        layers: list[nn.Module] = [nn.Conv2d(in_channels, hidden_channels, 1)]
        if norm_cfg:
            layers.append(build_norm_layer(norm_cfg, hidden_channels))
        layers += [nn.ReLU(inplace=True), nn.Conv2d(hidden_channels, out_channels, 1)]
        self.mlp = nn.Sequential(*layers)

    def forward(self, features: Tensor | Sequence[Tensor]) -> Tensor:
        """Embed each cell.

        Args:
            features: A map (N, C, H, W), or a sequence of maps, of which the last counts.

        Returns:
            (N, out_channels, H, W), not normalised.
        """
        return self.mlp(features if isinstance(features, Tensor) else features[-1])
