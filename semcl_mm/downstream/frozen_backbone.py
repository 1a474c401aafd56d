"""The frozen-backbone protocol: what a pretraining gives without any fine-tuning."""

from collections.abc import Sequence
from typing import Any

import torch
from mmseg.models import EncoderDecoder
from torch import Tensor

from semcl_mm.registry import MODELS

__all__ = ['FrozenEncoderDecoder']


@MODELS.register_module()
class FrozenEncoderDecoder(EncoderDecoder):
    """mmseg's ``EncoderDecoder`` whose backbone never changes: not a weight, not a buffer.

    The backbone stays in evaluation mode (running statistics of batch norm, no drop path) and its
    features are computed without a graph. Neck and heads train as usual. With
    :class:`~semcl_mm.engine.GroupedOptimWrapperConstructor` the backbone does not reach the
    optimiser either.

    Args:
        args: See mmseg's ``EncoderDecoder``.
        kwargs: See mmseg's ``EncoderDecoder``.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.backbone.requires_grad_(False)

    def train(self, mode: bool = True) -> 'FrozenEncoderDecoder':
        """Switch the mode of everything but the backbone."""
        super().train(mode)
        self.backbone.eval()
        return self

    def extract_feat(self, inputs: Tensor) -> Sequence[Tensor]:
        """Features of images (N, 3, H, W); the backbone leaves no graph."""
        with torch.no_grad():
            features = self.backbone(inputs)
        return self.neck(features) if self.with_neck else features
