"""From a loader's batch of uint8 views to normalised tensors on the device."""

from typing import NamedTuple

from mmengine.structures import BaseDataElement
from torch import Tensor

from semcl_mm.models.view_finishing import ViewFinisher
from semcl_mm.registry import MODELS

__all__ = ['ViewBatch', 'ViewDataPreprocessor']


class ViewBatch(NamedTuple):
    """What a method may want to know of a batch besides its pixels.

    Attributes:
        boxes: (B, V, 4) float32 on the device: the part that all views of an image share, as
            x1, y1, x2, y2 in [0, 1] of each view after its flip; all zero where there is none.
        flipped: (B, V) bool on the device: which views are mirrored.
        samples: B data samples with ``img_path`` and ``sample_idx``.
    """

    boxes: Tensor
    flipped: Tensor
    samples: list[BaseDataElement]


@MODELS.register_module()
class ViewDataPreprocessor(ViewFinisher):
    """Finish batches of :class:`semcl_mm.datasets.ViewDataset`, see :class:`ViewFinisher`."""

    def forward(self, data: dict, training: bool = False) -> dict:
        """Finish one collated batch.

        Args:
            data: ``inputs``: list of V uint8 tensors (B, 3, S, S); ``boxes`` (B, V, 4);
                ``flipped`` (B, V); ``data_samples``: list of B data samples; ``photometry``:
                float32 (B, V, 1, 8), exactly if this module applies it.
            training: has no effect; views exist in training only.

        Returns:
            ``inputs``: list of V float32 tensors (B, 3, S, S); ``data_samples``: a
            :class:`ViewBatch`.

        Raises:
            ValueError: if the data set and this module disagree about the photometry.
        """
        views = self.finish(data)
        boxes, flipped = self.cast_data([data['boxes'], data['flipped']])
        return dict(inputs=views, data_samples=ViewBatch(boxes, flipped, data['data_samples']))
