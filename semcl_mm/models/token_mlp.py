"""The projector on tokens: an MLP with GELU and without normalisation."""

from mmengine.model import BaseModule
from torch import Tensor, nn

from semcl_mm.registry import MODELS

__all__ = ['TokenMLP']


@MODELS.register_module()
class TokenMLP(BaseModule):
    """Linear layers with GELU between them, the same for every token.

    No norm looks across tokens or images, so class token and patches can share it in one pass.
    Weights start from a truncated normal of standard deviation 0.02 and biases from zero, as in
    the ViT itself: with PyTorch's default the biases dominate a deep stack without norms, and all
    tokens start with nearly the same direction.

    Args:
        in_channels: Channels of a token.
        hidden_channels: Width of the hidden layers.
        out_channels: Channels of the embedding.
        num_layers: Number of linear layers, at least 1.
        init_cfg: MMEngine's initialisation config; None is the one above.

    Raises:
        ValueError: ``num_layers`` is below 1.
    """

    def __init__(
        self,
        in_channels: int,
        hidden_channels: int = 2048,
        out_channels: int = 256,
        num_layers: int = 3,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg or dict(type='TruncNormal', layer='Linear', std=0.02, bias=0))
        if num_layers < 1:
            raise ValueError(f'num_layers must be at least 1, got {num_layers}')
        widths = [in_channels, *[hidden_channels] * (num_layers - 1), out_channels]
        layers: list[nn.Module] = []
        for index in range(num_layers):
            layers += [nn.Linear(widths[index], widths[index + 1]), nn.GELU()]
        self.mlp = nn.Sequential(*layers[:-1])

    def forward(self, tokens: Tensor) -> Tensor:
        """(…, in_channels) -> (…, out_channels), not normalised."""
        return self.mlp(tokens)
