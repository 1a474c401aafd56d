"""Networks small enough to write their loss out as a loop."""

import torch
from mmengine.model import BaseDataPreprocessor
from torch import Tensor, nn

from semcl_mm.losses import PairedInfoNCELoss
from semcl_mm.models import MLPHead, SemCL


class TinyBackbone(nn.Module):
    """(N, 3, H, W) -> ((N, 8, H / 2, W / 2),), with batch norm or group norm."""

    def __init__(self, batch_norm: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.norm1 = nn.BatchNorm2d(8) if batch_norm else nn.GroupNorm(2, 8)

    def forward(self, images: Tensor) -> tuple[Tensor]:
        return (self.norm1(self.conv1(images)).relu(),)


def tiny_semcl(batch_norm: bool = True, **options) -> SemCL:
    """A SemCL of about a thousand parameters, in training mode, target equal to the online one."""
    torch.manual_seed(0)
    arguments = dict(
        backbone=TinyBackbone(batch_norm),
        projector=MLPHead(8, hidden_channels=16, out_channels=6),
        predictor=MLPHead(6, hidden_channels=16, out_channels=6, last_norm=False),
        loss=PairedInfoNCELoss(),
        data_preprocessor=BaseDataPreprocessor(),
    )
    return SemCL(**{**arguments, **options}).train()


def random_views(views: int = 3, batch: int = 4, size: int = 8, seed: int = 1) -> list[Tensor]:
    """V views of both roles, (B, 2, 3, size, size)."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(batch, 2, 3, size, size, generator=generator) for _ in range(views)]
