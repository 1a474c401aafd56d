"""mmseg's segmentors with a contrast head beside them."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmseg.models import CascadeEncoderDecoder, EncoderDecoder
from torch import Tensor, nn

from semcl_mm.registry import MODELS

__all__ = [
    'ContrastCascadeEncoderDecoder',
    'ContrastEncoderDecoder',
    'PixelContrastMixin',
    'without_contrast',
]

_COUNTER = '.calls'  # every contrast head has this buffer, whatever holds it


class PixelContrastMixin:
    """Gives a segmentor a ``contrast_head`` that sees what the decode head has just predicted.

    mmseg's ``auxiliary_head`` cannot be told: heads get features and labels only, and running the
    decode head a second time would cost a forward pass (and draw another dropout mask). A forward
    hook on the decode head's classifier, ``conv_seg`` of every usual head, keeps the classes that
    it predicts in training, as integers at its own resolution: no second pass, nothing of the
    decode head overridden, so that any head and any of its losses stays as it is. Of a cascade
    (OCR, PointRend) the last head with such a classifier is heard.

    The head lies beside ``auxiliary_head``, so that all other keys of the state dict are those of
    the plain segmentor (:func:`without_contrast`), and inference is the plain segmentor's code.

    Use it before mmseg's class: ``class Mine(PixelContrastMixin, EncoderDecoder)``.

    Args:
        contrast_head: Config of a :class:`~semcl_mm.downstream.PixelContrastHead`.
        args: See mmseg's segmentor.
        kwargs: See mmseg's segmentor.

    Raises:
        ValueError: If the contrast head needs predictions and no decode head has a ``conv_seg``.
    """

    def __init__(self, *args: Any, contrast_head: Mapping[str, Any], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.contrast_head = MODELS.build(contrast_head)
        self._predictions: Tensor | None = None
        heads = self.decode_head
        heads = list(heads) if isinstance(heads, nn.ModuleList) else [heads]
        heard = [head for head in heads if hasattr(head, 'conv_seg')]
        if heard:
            self._threshold = heard[-1].threshold
            heard[-1].conv_seg.register_forward_hook(self._keep_predictions)
        elif self.contrast_head.needs_predictions:
            raise ValueError(
                f'{type(heads[-1]).__name__} has no conv_seg whose predictions could be taken: '
                "choose anchor_mode='random' in the loss of contrast_head"
            )

    def _keep_predictions(self, classifier: nn.Module, inputs: tuple, scores: Tensor) -> None:
        if not self.training or not self.contrast_head.needs_predictions:
            return
        with torch.no_grad():
            if scores.shape[1] == 1:  # one score for two classes
                self._predictions = (scores.sigmoid() > self._threshold).squeeze(1).long()
            else:
                self._predictions = scores.argmax(dim=1)

    def _decode_head_forward_train(
        self, inputs: Sequence[Tensor], data_samples: Sequence
    ) -> dict[str, Tensor]:
        """Return the losses of the decode head and of the contrast head."""
        losses = super()._decode_head_forward_train(inputs, data_samples)
        predictions, self._predictions = self._predictions, None
        contrast = self.contrast_head.loss(
            inputs, data_samples, self.train_cfg, predictions=predictions
        )
        return losses | contrast


@MODELS.register_module()
class ContrastEncoderDecoder(PixelContrastMixin, EncoderDecoder):
    """mmseg's ``EncoderDecoder`` with a contrast head; see :class:`PixelContrastMixin`."""


@MODELS.register_module()
class ContrastCascadeEncoderDecoder(PixelContrastMixin, CascadeEncoderDecoder):
    """mmseg's ``CascadeEncoderDecoder`` (OCR) with a contrast head."""


def without_contrast(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the state dict of the plain segmentor: no projection head, no memory.

    Args:
        state_dict: Of a segmentor with a ``contrast_head``, or with one among its auxiliary heads
            (the last of them, where they are a list).

    Raises:
        ValueError: If there is none in it.
    """
    heads = tuple(key.removesuffix('calls') for key in state_dict if key.endswith(_COUNTER))
    if not heads:
        raise ValueError(f'no key ends in {_COUNTER!r}: this state dict has no contrast head')
    return {key: value for key, value in state_dict.items() if not key.startswith(heads)}
