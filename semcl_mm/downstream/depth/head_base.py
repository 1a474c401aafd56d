"""What depth heads share: the range of depth, the losses and what counts in them."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from semcl_mm.losses import GradientSmoothnessLoss, SILogLoss
from semcl_mm.losses.similarity import as_float

__all__ = ['DepthHeadMixin']


class DepthHeadMixin:
    """Turns a head of mmseg with one output channel into one that predicts metres.

    A score x becomes ``min_depth + (max_depth - min_depth) * sigmoid(x)``: the "dilated sigmoid"
    of the local-to-global paper. It goes before mmseg's class:
    ``class Mine(DepthHeadMixin, UPerHead)``.

    In the losses a pixel counts where the true depth lies in [``min_depth``, ``max_depth``]; the
    prediction is resized (bilinear) to the size of the ground truth, which is never resized.

    Args:
        max_depth: Metres: 10 for NYUv2, 80 for KITTI and Cityscapes.
        min_depth: Metres, positive.
        loss_decode: Config of a loss of :mod:`semcl_mm.losses.depth`, or a list of them.
        edge_aware: Weigh :class:`~semcl_mm.losses.GradientSmoothnessLoss` by the edges of the
            (normalised) image. The paper's text leaves it open; off is plain L2.
        args: See mmseg's head.
        kwargs: See mmseg's head.

    Raises:
        ValueError: For a range that is none.
    """

    def __init__(
        self,
        *args: Any,
        max_depth: float,
        min_depth: float = 1e-3,
        loss_decode: Mapping | Sequence[Mapping] = dict(type=SILogLoss, loss_weight=10.0),
        edge_aware: bool = False,
        **kwargs: Any,
    ) -> None:
        if not 0 < min_depth < max_depth:
            raise ValueError(f'0 < min_depth < max_depth is needed, got {min_depth}, {max_depth}')
        losses = [loss_decode] if isinstance(loss_decode, Mapping) else list(loss_decode)
        # threshold: mmseg warns about heads of one channel without one; nothing here looks at it
        super().__init__(
            *args, num_classes=1, out_channels=1, threshold=0.5, loss_decode=losses, **kwargs
        )
        self.min_depth, self.max_depth, self.edge_aware = min_depth, max_depth, edge_aware

    def to_metres(self, scores: Tensor) -> Tensor:
        """Depth in (min_depth, max_depth) from scores of any shape, in float32."""
        return self.min_depth + (self.max_depth - self.min_depth) * as_float(scores).sigmoid()

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Depth (N, 1, h, w) in metres, at the head's own resolution."""
        return self.to_metres(super().forward(features))

    def loss(
        self,
        features: Sequence[Tensor],
        data_samples: Sequence,
        train_cfg: Any = None,
        images: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """The losses, and how much there was to learn from.

        Args:
            features: Of the backbone or neck.
            data_samples: N samples with ``gt_depth_map`` (1, H, W).
            train_cfg: Not looked at.
            images: Normalised (N, 3, H, W), for ``edge_aware``.

        Returns:
            Scalars: ``loss_<name>`` of each loss, ``known_pixels`` (fraction that counts) and
            ``images_without_truth`` (fraction of images with none).
        """
        truth = torch.stack([sample.gt_depth_map.data for sample in data_samples])
        depth = interpolate(
            self(features), truth.shape[2:], mode='bilinear', align_corners=self.align_corners
        )
        valid = (truth >= self.min_depth) & (truth <= self.max_depth)
        losses: dict[str, Tensor] = {}
        for loss in self.loss_decode:
            if isinstance(loss, GradientSmoothnessLoss):
                value = loss(depth, images if self.edge_aware else None)
            else:
                value = loss(depth, truth, valid)
            name = _loss_name(loss)
            losses[name] = losses[name] + value if name in losses else value
        losses['known_pixels'] = valid.float().mean()
        losses['images_without_truth'] = (~valid.flatten(1).any(1)).float().mean()
        return losses


def _loss_name(loss: nn.Module) -> str:
    return f'loss_{type(loss).__name__.removesuffix("Loss").lower()}'
