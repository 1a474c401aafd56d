"""mmseg's depth estimator, with an inference that does what its settings say."""

from collections.abc import Iterator, Sequence
from typing import Any

from mmseg.models import DepthEstimator as BaseDepthEstimator
from torch import Tensor
from torch.nn import ModuleList
from torch.nn.functional import interpolate

from semcl_mm.downstream.layer_decay import LayeredMixin
from semcl_mm.losses.arguments import check_choice
from semcl_mm.registry import MODELS

__all__ = ['DepthEstimator', 'window_starts']


def window_starts(size: int, window: int, stride: int) -> list[int]:
    """First pixels of windows along one side, so that every pixel lies in one.

    The last window is moved back into the image; an image smaller than the window has one start.
    """
    last = max(size - window, 0)
    return [*range(0, last, stride), last]


@MODELS.register_module()
class DepthEstimator(LayeredMixin, BaseDepthEstimator):
    """Backbone, optional neck and a depth head; predicts metres.

    What is different from mmseg's: ``mode='slide'`` slides (mmseg's runs the windows and throws the
    result away for that of the whole image), ``flip`` works with either mode, batches of images
    with different paddings slide correctly, settings are checked when the model is built, and a
    head sees the images where its loss asks for them (edge-aware smoothness).

    ``test_cfg``:

    - ``mode``: ``'whole'`` or ``'slide'``;
    - ``crop_size``, ``stride``: of the windows, (height, width) in pixels; depths of overlapping
      windows are averaged with equal weights;
    - ``flip``: also predict the mirrored image (or window), mirror that back, average the two.

    Args:
        args: See mmseg's ``DepthEstimator``.
        kwargs: See mmseg's ``DepthEstimator``.

    Raises:
        ValueError: For settings of the inference that are unknown, missing or leave gaps.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        settings = dict(self.test_cfg or {})
        self.mode, self.flip = settings.pop('mode', 'whole'), settings.pop('flip', False)
        self.window = settings.pop('crop_size', None)
        self.stride = settings.pop('stride', None)
        check_choice('test_cfg.mode', self.mode, ('whole', 'slide'))
        if settings:
            raise ValueError(f'test_cfg has no {", ".join(map(repr, settings))}')
        if self.mode == 'slide':
            _check_windows(self.window, self.stride)

    def loss(self, inputs: Tensor, data_samples: list) -> dict[str, Tensor]:
        """Losses of the heads.

        Args:
            inputs: Normalised images (N, 3, H, W).
            data_samples: N samples with ``gt_depth_map`` (1, H, W), metres, 0 = unknown.

        Returns:
            Scalars, ``decode.loss_*`` and ``aux_*.loss_*``; see :class:`DepthHeadMixin`.
        """
        features = self.extract_feat(inputs)
        heads = {'decode': self.decode_head}
        if self.with_auxiliary_head:
            auxiliary = self.auxiliary_head
            several = auxiliary if isinstance(auxiliary, ModuleList) else [auxiliary]
            heads |= {f'aux_{number}': head for number, head in enumerate(several)}
        return {
            f'{name}.{key}': value
            for name, head in heads.items()
            for key, value in head.loss(features, data_samples, images=inputs).items()
        }

    def encode_decode(self, inputs: Tensor, batch_img_metas: Any = None) -> Tensor:
        """Depth (N, 1, H, W) of images (N, 3, H, W), at their size, without slide or flip."""
        depth = self.decode_head(self.extract_feat(inputs))
        return interpolate(
            depth, inputs.shape[2:], mode='bilinear', align_corners=self.align_corners
        )

    def inference(self, inputs: Tensor, batch_img_metas: Any = None) -> Tensor:
        """Depth (N, 1, H, W) of images (N, 3, H, W), as ``test_cfg`` says."""
        if self.mode == 'whole':
            return self._predict(inputs)
        total = inputs.new_zeros(len(inputs), 1, *inputs.shape[2:])
        count = inputs.new_zeros(1, 1, *inputs.shape[2:])
        for rows, columns in self._windows(*inputs.shape[2:]):
            total[..., rows, columns] += self._predict(inputs[..., rows, columns])
            count[..., rows, columns] += 1
        return total / count

    def _predict(self, images: Tensor) -> Tensor:
        depth = self.encode_decode(images)
        if not self.flip:
            return depth
        return (depth + self.encode_decode(images.flip(3)).flip(3)) / 2

    def _windows(self, height: int, width: int) -> Iterator[tuple[slice, slice]]:
        for top in window_starts(height, self.window[0], self.stride[0]):
            for left in window_starts(width, self.window[1], self.stride[1]):
                yield slice(top, top + self.window[0]), slice(left, left + self.window[1])

    def _forward(self, inputs: Tensor, data_samples: Any = None) -> Tensor:
        return self.decode_head(self.extract_feat(inputs))


def _check_windows(window: Any, stride: Any) -> None:
    for name, value in (('crop_size', window), ('stride', stride)):
        if not isinstance(value, Sequence) or len(value) != 2 or min(value) < 1:
            raise ValueError(
                f"test_cfg.mode='slide' needs test_cfg.{name}=(height, width), got {value}"
            )
    if any(step > size for step, size in zip(stride, window, strict=True)):
        raise ValueError(f'test_cfg.stride {stride} leaves gaps between windows of {window}')
