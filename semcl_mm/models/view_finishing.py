"""What all batches of uint8 views go through on the device: photometry, float, normalisation."""

from collections.abc import Sequence

import torch
from mmengine.model import BaseDataPreprocessor
from torch import Tensor

from semcl_mm.models.photometry import PhotometryPlan, apply_photometry

__all__ = ['ViewFinisher']


class ViewFinisher(BaseDataPreprocessor):
    """Move views to the device as uint8, then finish them there.

    A quarter of the bytes of a float batch cross the worker's pipe and the bus. With
    ``photometry`` the parameters that the data set drew are applied to the whole batch; all
    randomness is theirs, so a resumed run sees the same pixels. Subclasses say what a batch is.

    Args:
        mean: RGB mean in 0..255, subtracted.
        std: RGB standard deviation, divided by.
        photometry: whether batches carry photometry parameters to be applied here. It must match
            the data set's ``photometry``; a batch that does not is an error.
        non_blocking: copy from pinned memory without waiting.
    """

    def __init__(
        self,
        mean: Sequence[float] = (123.675, 116.28, 103.53),
        std: Sequence[float] = (58.395, 57.12, 57.375),
        photometry: bool = False,
        non_blocking: bool = True,
    ) -> None:
        super().__init__(non_blocking=non_blocking)
        if len(mean) != 3 or len(std) != 3 or min(std) <= 0:
            raise ValueError(f'mean={mean}, std={std}: both need three numbers, std positive ones')
        self.photometry = photometry
        for name, value in (('mean', mean), ('std', std)):
            value = torch.tensor(value, dtype=torch.float32).view(3, 1, 1)
            self.register_buffer(name, value, persistent=False)

    def finish(self, data: dict) -> list[Tensor]:
        """The finished views of a collated batch.

        Args:
            data: ``inputs``: list of V uint8 tensors (B, ..., 3, S, S), with R images of each
                sample (R = 1 without the middle dimension); ``photometry``: float32
                (B, V, R, 8), exactly if this module applies it.

        Returns:
            V float32 tensors of the shapes of ``inputs``, normalised.

        Raises:
            ValueError: if the data set and this module disagree about the photometry.
        """
        parameters = data.get('photometry')
        if (parameters is not None) != self.photometry:
            raise ValueError(
                f'{type(self).__name__}(photometry={self.photometry}) got a batch '
                f'{"with" if parameters is not None else "without"} photometry parameters: '
                "set photometry='device' in the data set and photometry=True here, or neither"
            )
        views = self.cast_data(data['inputs'])
        if self.photometry:
            views = self._recolour(views, parameters)
        return [(view.float() - self.mean).div_(self.std) for view in views]

    def _recolour(self, views: Sequence[Tensor], parameters: Tensor) -> list[Tensor]:
        roles = views[0].shape[1:-3]
        if parameters.shape[:3] != (len(views[0]), len(views), roles.numel()):
            raise ValueError(
                f'photometry parameters {tuple(parameters.shape)} do not fit '
                f'{len(views)} views {tuple(views[0].shape)}'
            )
        plans = [PhotometryPlan.of(parameters[:, view]) for view in range(len(views))]
        parameters = self.cast_data(parameters)
        return [
            apply_photometry(
                view.reshape(-1, *view.shape[-3:]).float(),
                parameters[:, number].flatten(0, 1),
                plan,
            ).view(view.shape)
            for number, (view, plan) in enumerate(zip(views, plans, strict=True))
        ]
