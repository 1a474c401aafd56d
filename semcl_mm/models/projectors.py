"""The heads that turn backbone features into embeddings: projector and predictor.

SemCL's two recipes, both with bias-free linear layers and a hidden batch norm + ReLU:

========  ===================================  =======================================
backbone  projector                            predictor
========  ===================================  =======================================
ResNet    C -> 4096 -> 256, last norm          256 -> 4096 -> 256, no last norm
Swin      C -> 4096 -> 4096 -> 256, last norm  256 -> 4096 -> 256, last norm
========  ===================================  =======================================

A "last norm" has no affine parameters: it only centres and scales, over the images of one view
and role.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from semcl_mm.registry import MODELS

__all__ = ['HeadBatchNorm', 'MLPHead', 'deepest', 'global_pool']


def deepest(features: Tensor | Sequence[Tensor]) -> Tensor:
    """The output of a backbone, or its last one where it has several."""
    return features if isinstance(features, Tensor) else features[-1]


def global_pool(features: Tensor | Sequence[Tensor]) -> Tensor:
    """One vector per image from whatever a backbone returns.

    Args:
        features: A map (N, C, H, W), tokens (N, L, C), a vector (N, C), or a sequence of
            these, of which the last (deepest) counts.

    Returns:
        (N, C): the mean over space or tokens; a vector stays as it is.

    Raises:
        ValueError: The features have another number of dimensions.
    """
    features = deepest(features)
    if features.dim() == 4:
        return features.mean(dim=(2, 3))
    if features.dim() == 3:
        return features.mean(dim=1)
    if features.dim() == 2:
        return features
    raise ValueError(
        f'expected features of shape (N, C), (N, L, C) or (N, C, H, W), got {tuple(features.shape)}'
    )


class HeadBatchNorm(nn.BatchNorm1d):
    """Batch norm that also trains with one sample per process.

    The statistics of a single vector say nothing: its variance is 0 and ``F.batch_norm`` refuses
    it. Such a batch is normalised by the running statistics instead, into which the vector (as
    mean) and its squared distance from the running mean (as variance) have been averaged first.
    From two samples on, and under SyncBN over several processes, this is ``nn.BatchNorm1d``.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Normalise (N, C), N >= 1."""
        if not self.training or len(input) > 1:
            return super().forward(input)
        with torch.no_grad():
            sample = input[0].to(self.running_mean.dtype)
            deviation = (sample - self.running_mean).square()
            self.running_mean.lerp_(sample, self.momentum)
            self.running_var.lerp_(deviation, self.momentum)
            self.num_batches_tracked += 1
            # copies: the next view updates the buffers before this one is differentiated
            mean, var = self.running_mean.clone(), self.running_var.clone()
        return F.batch_norm(input, mean, var, self.weight, self.bias, training=False, eps=self.eps)


@MODELS.register_module()
class MLPHead(BaseModule):
    """Linear layers with batch norm and ReLU between them (by default MoCo v3's MLP).

    ``bias=True`` and ``last_norm=False`` is PixCon's and BYOL's, with ``hidden_norm=False`` also
    that of MoCo v2 and DenseCL.

    Args:
        in_channels: Channels of the input.
        hidden_channels: Width of the hidden layers.
        out_channels: Channels of the embedding.
        num_layers: Number of linear layers, at least 1.
        last_norm: End with a batch norm without affine parameters.
        bias: Give the linear layers a bias.
        hidden_norm: Put a batch norm before each ReLU.
        init_cfg: MMEngine's initialisation config; None keeps PyTorch's default.

    Raises:
        ValueError: ``num_layers`` is below 1.
    """

    def __init__(
        self,
        in_channels: int,
        hidden_channels: int = 4096,
        out_channels: int = 256,
        num_layers: int = 2,
        last_norm: bool = True,
        bias: bool = False,
        hidden_norm: bool = True,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if num_layers < 1:
            raise ValueError(f'num_layers must be at least 1, got {num_layers}')
        self.out_channels = out_channels
        widths = [in_channels, *[hidden_channels] * (num_layers - 1), out_channels]
        layers: list[nn.Module] = []
        for index in range(num_layers):
            layers.append(nn.Linear(widths[index], widths[index + 1], bias=bias))
            if index < num_layers - 1:
                norm = [HeadBatchNorm(widths[index + 1])] if hidden_norm else []
                layers += [*norm, nn.ReLU(inplace=True)]
            elif last_norm:
                layers.append(HeadBatchNorm(widths[index + 1], affine=False))
        self.mlp = nn.Sequential(*layers)

    def forward(self, features: Tensor | Sequence[Tensor]) -> Tensor:
        """Embed pooled features.

        Args:
            features: What :func:`global_pool` takes.

        Returns:
            (N, out_channels), not normalised.
        """
        return self.mlp(global_pool(features))
