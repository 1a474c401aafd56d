"""From a loader's batch of uint8 pairs to normalised tensors on the device."""

from collections.abc import Sequence

import numpy as np
import torch
from mmengine.model import BaseDataPreprocessor
from mmengine.structures import BaseDataElement

from semcl_mm.models.photometry import PhotometryPlan, apply_photometry
from semcl_mm.registry import MODELS

__all__ = ['PairDataPreprocessor']


@MODELS.register_module()
class PairDataPreprocessor(BaseDataPreprocessor):
    """Move a batch of pairs to the device as uint8, then finish it there.

    A quarter of the bytes of a float batch cross the worker's pipe and the bus. With
    ``photometry`` the parameters that :class:`semcl_mm.datasets.PairDataset` drew are applied to
    the whole batch; all randomness is theirs, so a resumed run sees the same pixels.

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
        super().__init__(non_blocking=non_blocking)
        if len(mean) != 3 or len(std) != 3 or min(std) <= 0:
            raise ValueError(f'mean={mean}, std={std}: both need three numbers, std positive ones')
        self.photometry = photometry
        means, stds = (torch.tensor(v, dtype=torch.float32).repeat(2, 1) for v in (mean, std))
        if not normalise_environment:
            means[1], stds[1] = 0.0, 255.0
        self.register_buffer('mean', means.view(2, 3, 1, 1), persistent=False)
        self.register_buffer('std', stds.view(2, 3, 1, 1), persistent=False)

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
        parameters = data.get('photometry')
        if (parameters is not None) != self.photometry:
            raise ValueError(
                f'PairDataPreprocessor(photometry={self.photometry}) got a batch '
                f'{"with" if parameters is not None else "without"} photometry parameters: '
                "set photometry='device' in the data set and photometry=True here, or neither"
            )
        views = self.cast_data(data['inputs'])
        if self.photometry:
            if parameters.shape[:3] != (len(views[0]), len(views), views[0].shape[1]):
                raise ValueError(
                    f'photometry parameters {tuple(parameters.shape)} do not fit '
                    f'{len(views)} views {tuple(views[0].shape)}'
                )
            plans = [PhotometryPlan.of(parameters[:, view]) for view in range(len(views))]
            parameters = self.cast_data(parameters)
            views = [
                apply_photometry(
                    view.flatten(0, 1).float(), parameters[:, number].flatten(0, 1), plan
                ).view(view.shape)
                for number, (view, plan) in enumerate(zip(views, plans, strict=True))
            ]
        views = [(view.float() - self.mean).div_(self.std) for view in views]
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
