"""From a loader's batch of uint8 pairs to normalised tensors on the device."""

from collections.abc import Sequence

import numpy as np
import torch
from mmengine.structures import BaseDataElement

from semcl_mm.models.view_finishing import ViewFinisher
from semcl_mm.registry import MODELS

__all__ = ['PairDataPreprocessor']


@MODELS.register_module()
class PairDataPreprocessor(ViewFinisher):
    """Finish batches of :class:`semcl_mm.datasets.PairDataset`, see :class:`ViewFinisher`.

    Args:
        mean: RGB mean in 0..255, subtracted.
        std: RGB standard deviation, divided by.
        photometry: whether batches carry photometry parameters to be applied here. It must match
            the data set's ``photometry``; a batch that does not is an error.
        normalise_environment: False only divides the ¬anchor by 255. The authors' code did that
            until shortly before the paper appeared, so its numbers may come from either.
        non_blocking: copy from pinned memory without waiting.
    """

    def __init__(
        self,
        mean: Sequence[float] = (123.675, 116.28, 103.53),
        std: Sequence[float] = (58.395, 57.12, 57.375),
        photometry: bool = False,
        normalise_environment: bool = True,
        non_blocking: bool = True,
    ) -> None:
        super().__init__(mean, std, photometry, non_blocking)
        self.mean = self.mean.repeat(2, 1, 1, 1)  # (2, 3, 1, 1): a row for each role
        self.std = self.std.repeat(2, 1, 1, 1)
        if not normalise_environment:
            self.mean[1], self.std[1] = 0.0, 255.0

    def forward(self, data: dict, training: bool = False) -> dict:
        """Finish one collated batch.

        Args:
            data: ``inputs``: list of V uint8 tensors (B, 2, 3, S, S); ``data_samples``: list of B
                data samples; ``photometry``: float32 (B, V, 2, 8), exactly if this module
                applies it.
            training: has no effect; pairs exist in training only.

        Returns:
            ``inputs``: list of V float32 tensors (B, 2, 3, S, S); ``data_samples``
            with ``anchor_fraction`` as CPU tensors.

        Raises:
            ValueError: if the data set and this module disagree about the photometry.
        """
        views = self.finish(data)
        return dict(inputs=views, data_samples=_fractions_as_tensors(data.get('data_samples')))


def _fractions_as_tensors(
    data_samples: Sequence[BaseDataElement] | None,
) -> Sequence[BaseDataElement] | None:
    """Make ``anchor_fraction`` tensors, on the CPU: what is logged of them stalls no device.

    They leave the workers as arrays, because each tensor would take a file descriptor.
    """
    for sample in data_samples or ():
        fraction = sample.get('anchor_fraction')
        if isinstance(fraction, np.ndarray):
            sample.set_field(torch.from_numpy(fraction), 'anchor_fraction')
    return data_samples
