"""The projection head of pixel contrast, its memory and its loss (Wang et al., ICCV 2021)."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from mmengine.model import BaseModule
from torch import Tensor, nn

from semcl_mm.losses import PixelContrastLoss
from semcl_mm.losses.arguments import check_positive
from semcl_mm.losses.pixel_sampling import gather_pixels, reads_are_free
from semcl_mm.losses.similarity import as_float
from semcl_mm.memory import RegionMemoryBank
from semcl_mm.registry import MODELS

__all__ = ['PixelContrastHead']


@MODELS.register_module()
class PixelContrastHead(BaseModule):
    """Contrasts pixel embeddings while a segmentor is trained; it is never run at inference.

    Backbone features -> 1 x 1 convolution, norm, ReLU, 1 x 1 convolution -> anchors, which meet the
    keys of the memory or, without one, each other. It has the interface of mmseg's auxiliary heads:

    - as ``contrast_head`` of :class:`~semcl_mm.downstream.ContrastEncoderDecoder`, which hands it
      the decode head's predictions of the same step (segmentation-aware anchors need them);
    - as ``auxiliary_head``, or one of them, of any mmseg segmentor, with
      ``loss=dict(anchor_mode='random')``.

    Embeddings of a step enter the memory after the loss has read it, during warm-up too, as in the
    authors' code; the keys come from the same encoder as the anchors.

    Args:
        in_channels: Channels of the features; a sequence with ``in_index``.
        num_classes: C.
        in_index: Which output of the backbone (or neck). A sequence: all of these, resized to the
            first and concatenated (HRNet's 720 channels).
        dim: D, length of an embedding; 256 in the paper.
        channels: Width between the convolutions; None: as many as come in (authors' code).
        norm_cfg: Norm after the first convolution. None: without one, as in the paper; the
            authors' code has ``dict(type='SyncBN')``.
        loss: Settings of :class:`~semcl_mm.losses.PixelContrastLoss` (``loss_weight`` is lambda);
            ``num_classes`` and ``ignore_index`` are filled in. None: the paper's.
        memory: Settings of :class:`~semcl_mm.memory.RegionMemoryBank` (``num_images`` and
            ``pixels_per_class`` at least); what the head knows is filled in, and ``dtype`` may be a
            name such as 'bfloat16'. A region memory needs ``sample_idx`` in the meta keys of
            ``PackSegInputs``; those of a ``ConcatDataset`` collide. None, or the kind 'none': the
            anchors of the mini-batch (of each process) are each other's keys.
        warmup_iters: Calls in training during which the loss counts zero times; 5000 in the
            authors' code, the paper mentions none.
        ignore_index: Label that is no class.
        align_corners: Of the resizing to the first feature map.
        init_cfg: MMEngine's initialisation config.

    Raises:
        ValueError: If ``in_index`` and ``in_channels`` do not belong together, or for a number or
            type that cannot be.
    """

    def __init__(
        self,
        in_channels: int | Sequence[int],
        num_classes: int,
        in_index: int | Sequence[int] = -1,
        dim: int = 256,
        channels: int | None = None,
        norm_cfg: dict | None = None,
        loss: Mapping[str, Any] | None = None,
        memory: Mapping[str, Any] | None = None,
        warmup_iters: int = 0,
        ignore_index: int = 255,
        align_corners: bool = False,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if warmup_iters < 0:
            raise ValueError(f'warmup_iters must be at least 0, got {warmup_iters}')
        channels_of = [in_channels] if isinstance(in_channels, int) else list(in_channels)
        self.in_index = [in_index] if isinstance(in_index, int) else list(in_index)
        if len(channels_of) != len(self.in_index):
            raise ValueError(
                f'in_channels {in_channels} and in_index {in_index} must be one number each, or '
                'sequences of the same length'
            )
        width = sum(channels_of)
        channels = width if channels is None else channels
        check_positive(num_classes=num_classes, dim=dim, channels=channels)
        self.align_corners, self.warmup_iters = align_corners, warmup_iters
        self.hidden = ConvModule(width, channels, 1, norm_cfg=norm_cfg, act_cfg=dict(type='ReLU'))
        self.output = nn.Conv2d(channels, dim, 1)
        known = dict(num_classes=num_classes, ignore_index=ignore_index)
        self.criterion = MODELS.build(dict(type=PixelContrastLoss) | known | dict(loss or {}))
        stored = memory is not None and memory.get('memory') != 'none'
        self.memory = _build_memory(memory, known | dict(dim=dim)) if stored else None
        self.register_buffer('calls', torch.zeros((), dtype=torch.long))

    @property
    def needs_predictions(self) -> bool:
        """Whether :meth:`loss` has to be given predictions."""
        return self.criterion.anchors['mode'] != 'random'

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Return unit embeddings (B, D, H, W) of feature maps, e.g. for a picture of them."""
        return _unit(self.output(self.hidden(self.select(inputs))))

    def loss(
        self,
        inputs: Sequence[Tensor],
        batch_data_samples: Sequence,
        train_cfg: Mapping | None = None,
        predictions: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Return the loss, and add the embeddings to the memory while in training mode.

        Args:
            inputs: The backbone's (or neck's) feature maps (B, C_i, H_i, W_i).
            batch_data_samples: B mmseg data samples with ``gt_sem_seg`` of one size.
            train_cfg: Not used; part of mmseg's interface.
            predictions: (B, H, W) predicted classes, at any resolution.

        Returns:
            ``loss_contrast``, weighted, and with a memory ``memory_filled``: the share of its slots
            that held a key. Nothing is read on the host unless that is the device.

        Raises:
            ValueError: If predictions or ``sample_idx`` are needed but missing.
        """
        if self.needs_predictions and predictions is None:
            raise ValueError(
                f'anchor_mode {self.criterion.anchors["mode"]!r} needs predictions and got none: '
                'they come from the classifier of a ContrastEncoderDecoder, where this is the '
                "contrast_head; elsewhere choose anchor_mode='random'"
            )
        labels = torch.stack([sample.gt_sem_seg.data for sample in batch_data_samples]).squeeze(1)
        hidden = self.hidden(self.select(inputs))
        size = tuple(hidden.shape[-2:])
        table = self.criterion.sample(labels, predictions, size)
        if reads_are_free(hidden):
            table = table.compact()
        # The last convolution is linear and pixel by pixel: of all pixels, anchors alone need it.
        anchors = self._project(gather_pixels(hidden, table.index))
        losses = {}
        if self.memory is not None:
            slots = max(self.memory.num_classes * self.memory.slots_per_class, 1)
            losses['memory_filled'] = self.memory.counts().sum() / slots
        loss = self.criterion.contrast(anchors, table, size[0] * size[1], self.memory)
        if self.training and self.memory is not None:
            self._remember(hidden.detach(), labels, batch_data_samples)
        losses['loss_contrast'] = loss * (self.calls >= self.warmup_iters)
        if self.training:
            self.calls += 1
        return losses

    def _project(self, hidden: Tensor) -> Tensor:
        """Return embeddings (..., D) of hidden features (..., K): the last convolution."""
        weight = self.output.weight.flatten(1)
        return F.linear(hidden.to(weight.dtype), weight, self.output.bias)

    @torch.no_grad()
    def _remember(self, hidden: Tensor, labels: Tensor, samples: Sequence) -> None:
        """Add this step's embeddings to the memory.

        A pixel memory keeps few pixels, and only these are embedded. A region is the mean of unit
        vectors, so that it needs the length of every pixel's embedding: the whole map is made, but
        without a graph.
        """
        if not self.memory.region_slots:
            self.memory.update(hidden, labels, project=self._project)
            return
        index = self._image_index(samples, labels.device)
        self.memory.update(_unit(self.output(hidden)), labels, index)

    def select(self, inputs: Sequence[Tensor]) -> Tensor:
        """Return the features that are projected, (B, C, H, W)."""
        maps = [inputs[index] for index in self.in_index]
        size = maps[0].shape[-2:]
        resized = [
            F.interpolate(map_, size, mode='bilinear', align_corners=self.align_corners)
            for map_ in maps[1:]
        ]
        return torch.cat([maps[0], *resized], dim=1) if resized else maps[0]

    def _image_index(self, samples: Sequence, device: torch.device) -> Tensor:
        """Return the place of each image in the training set, (B,)."""
        if any('sample_idx' not in sample.metainfo for sample in samples):
            raise ValueError(
                "a region memory needs to know images: add 'sample_idx' to meta_keys of "
                'PackSegInputs in the training pipeline'
            )
        index = torch.tensor([sample.metainfo['sample_idx'] for sample in samples])
        return index.to(device, non_blocking=True)


def _unit(embeddings: Tensor) -> Tensor:
    """Return (B, D, H, W) with vectors of unit length, in full precision."""
    return F.normalize(as_float(embeddings), dim=1)


def _build_memory(memory: Mapping[str, Any], known: dict[str, Any]) -> nn.Module:
    settings = dict(type=RegionMemoryBank) | known | dict(memory)
    if isinstance(settings.get('dtype'), str):
        dtype = getattr(torch, settings['dtype'], None)
        if not isinstance(dtype, torch.dtype):
            raise ValueError(f'memory: dtype {settings["dtype"]!r} is no type of torch')
        settings['dtype'] = dtype
    return MODELS.build(settings)
