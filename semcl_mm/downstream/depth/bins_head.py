"""Depth as a mixture of bins that each image chooses for itself."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from mmseg.models import UPerHead
from torch import Tensor, nn

from semcl_mm.downstream.depth.head_base import DepthHeadMixin
from semcl_mm.losses.similarity import as_float
from semcl_mm.registry import MODELS

__all__ = ['AdaptiveBinsDepthHead', 'bin_centres', 'sine_positions']


def bin_centres(widths: Tensor, min_depth: float, max_depth: float) -> Tensor:
    """Middles of bins that lie side by side (AdaBins, Bhat et al., 2021, Eq. 2-3).

    Args:
        widths: (N, K), positive, as fractions of the range that sum to 1.
        min_depth: Metres.
        max_depth: Metres.

    Returns:
        (N, K) increasing depths in metres.
    """
    return min_depth + (max_depth - min_depth) * (widths.cumsum(1) - widths / 2)


def sine_positions(height: int, width: int, channels: int, device: Any = None) -> Tensor:
    """Sinusoidal position codes (height * width, channels), half of the channels per axis.

    Positions are fractions of the image times 2 pi, as in DETR, so that maps of any size agree.

    Raises:
        ValueError: If ``channels`` is no multiple of 4.
    """
    if channels % 4:
        raise ValueError(f'channels must be a multiple of 4, got {channels}')
    steps = torch.arange(channels // 4, device=device)
    frequency = 2 * math.pi / 10000 ** (4 * steps / channels)

    def code(size: int) -> Tensor:
        angle = ((torch.arange(size, device=device) + 0.5) / size)[:, None] * frequency
        return torch.cat([angle.sin(), angle.cos()], dim=1)  # (size, channels / 2)

    rows, columns = code(height), code(width)
    grid = (height, width, channels // 2)
    return torch.cat([rows[:, None].expand(grid), columns.expand(grid)], dim=2).flatten(0, 1)


@MODELS.register_module()
class AdaptiveBinsDepthHead(DepthHeadMixin, UPerHead):
    """Adaptive bins in BinsFormer's frame (Li et al., 2022), small.

    Learnt queries, one per bin, look at the stages of the backbone in turn, the coarsest first,
    with a transformer decoder. Each query then yields the width of its bin (softmax over queries)
    and an embedding; a pixel's probabilities are the softmax over bins of the products of those
    embeddings with its own features. The depth is the expectation of the bin centres.

    What is BinsFormer's: queries as bins, widths and embeddings from the same query, coarse-to-fine
    attention, the expectation. What is not: the pixels' features are UPerNet's and not those of a
    deformable-attention encoder; the decoder's layers are PyTorch's standard ones; there are
    neither losses on intermediate layers, nor scene classification, nor AdaBins' chamfer loss. A
    number of this head is therefore not a reproduction of one of BinsFormer's.

    Args:
        num_bins: Bins, i.e. queries.
        embed_dims: Width of queries and pixel embeddings, a multiple of 4 and of ``num_heads``.
        num_layers: Decoder layers.
        num_heads: Attention heads.
        kwargs: See :class:`DepthHeadMixin` and mmseg's ``UPerHead``.

    Raises:
        ValueError: For fewer layers than stages to look at.
    """

    def __init__(
        self,
        *,
        num_bins: int = 64,
        embed_dims: int = 256,
        num_layers: int = 9,
        num_heads: int = 8,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.conv_seg = nn.Conv2d(self.channels, embed_dims, 1)  # pixel embeddings, not a class
        self.queries = nn.Embedding(num_bins, embed_dims)
        coarse_to_fine = self.in_channels[:0:-1]  # all stages but the finest
        if num_layers < len(coarse_to_fine):
            raise ValueError(
                f'num_layers must be at least {len(coarse_to_fine)}, one per stage that the '
                f'queries look at, got {num_layers}'
            )
        self.memory_projections = nn.ModuleList(
            nn.Conv2d(channels, embed_dims, 1) for channels in coarse_to_fine
        )
        self.layers = nn.ModuleList(
            nn.TransformerDecoderLayer(
                embed_dims, num_heads, 4 * embed_dims, dropout=0.0, batch_first=True
            )
            for _ in range(num_layers)
        )
        self.width_mlp = _mlp(embed_dims, 1)
        self.embedding_mlp = _mlp(embed_dims, embed_dims)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Depth (N, 1, h, w) in metres, at the stride of the first stage."""
        centres, probabilities = self.bins(features)
        return (probabilities * centres[:, :, None, None]).sum(1, keepdim=True)

    def bins(self, features: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Bin centres (N, K) in metres, and each pixel's probabilities (N, K, h, w)."""
        pixels = self.cls_seg(self._forward_feature(features))
        queries = self._decode(self._transform_inputs(features)[:0:-1])
        widths = as_float(self.width_mlp(queries)).squeeze(2).softmax(1)
        scores = torch.einsum('nkc,nchw->nkhw', self.embedding_mlp(queries), pixels)
        scores = as_float(scores) / math.sqrt(pixels.shape[1])
        return bin_centres(widths, self.min_depth, self.max_depth), scores.softmax(1)

    def _decode(self, stages: Sequence[Tensor]) -> Tensor:
        memories = []
        for projection, stage in zip(self.memory_projections, stages, strict=True):
            memory = projection(stage).flatten(2).mT
            codes = sine_positions(*stage.shape[2:], memory.shape[2], memory.device)
            memories.append(memory + codes.to(memory.dtype))
        queries = self.queries.weight.expand(len(stages[0]), -1, -1)
        for number, layer in enumerate(self.layers):
            queries = layer(queries, memories[number % len(memories)])
        return queries


def _mlp(channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(channels, channels), nn.ReLU(), nn.Linear(channels, out_channels)
    )
