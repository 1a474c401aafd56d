"""Losses of monocular depth estimation: berHu, scale-invariant log error, smoothness."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from semcl_mm.losses.arguments import check_positive, check_shapes
from semcl_mm.losses.similarity import as_float, full_precision

__all__ = [
    'BerHuLoss',
    'GradientSmoothnessLoss',
    'SILogLoss',
    'berhu',
    'gradient_smoothness',
    'silog',
]


def berhu(
    prediction: Tensor, target: Tensor, valid: Tensor | None = None, threshold: float = 0.2
) -> Tensor:
    r"""Return the reverse Huber loss (Laina et al., 2016): L1 for small errors, L2 for large ones.

    .. math:: \ell(e) = |e| \text{ if } |e| \le c, \text{ else } \frac{e^2 + c^2}{2c},
              \qquad c = \mathrm{threshold} \cdot \max |e|

    The maximum is taken over the valid pixels of the whole batch. c is a constant of the step: no
    gradient flows through the maximum, as in the definition. It is the only thing that a loss of
    this package detaches. Pixels that are not valid may hold anything, NaN included.

    Args:
        prediction: Depth, any shape.
        target: Depth in the same unit, same shape.
        valid: Boolean, same shape; None counts every pixel.
        threshold: Positive; fraction of the largest error above which the loss is quadratic.

    Returns:
        Scalar, the mean over valid pixels, in the unit of depth; zero (with its graph) without any.

    Raises:
        ValueError: For shapes that differ, a mask that is not boolean or a threshold
            that is not positive.
    """
    check_positive(threshold=threshold)
    _check_maps(prediction, target, valid)
    with full_precision(prediction):
        error = as_float(prediction) - as_float(target)
        if error.numel() == 0:
            return error.sum() * 0
        if valid is not None:  # before anything whose derivative at NaN is NaN
            error = torch.where(valid, error, 0.0)
        error = error.abs()
        smallest = torch.finfo(error.dtype).tiny
        c = (threshold * error.detach().amax()).clamp_min(smallest)
        terms = torch.where(error <= c, error, (error.square() / c + c) / 2)
        return terms.mean() if valid is None else terms.sum() / valid.sum().clamp_min(1)


def silog(
    prediction: Tensor,
    target: Tensor,
    valid: Tensor | None = None,
    variance_focus: float = 0.85,
    root: bool = True,
) -> Tensor:
    r"""Return the scale-invariant log error (Eigen et al., 2014, Eq. 4).

    .. math:: L = \mathrm{mean}(g^2) - \lambda\, \mathrm{mean}(g)^2,
              \qquad g = \ln(\mathrm{prediction}) - \ln(\mathrm{target})

    computed as the variance of g plus :math:`(1 - \lambda)` times its squared mean, which cannot
    become negative by rounding. Eigen et al. use :math:`\lambda = 0.5` and no root; the usual loss
    since BTS (Lee et al., 2019) is ten times (``loss_weight``) the root with
    :math:`\lambda = 0.85`. The means are over the valid pixels of the whole batch, as there.
    Pixels that are not valid may hold anything, NaN included.

    Args:
        prediction: Positive depth, any shape.
        target: Positive depth in the same unit, same shape.
        valid: Boolean, same shape; None counts every pixel.
        variance_focus: :math:`\lambda` in [0, 1]; 1 ignores the scale altogether.
        root: Take the square root; its gradient is zero where the error is.

    Returns:
        Scalar without unit; zero (with its graph) without any valid pixel.

    Raises:
        ValueError: For shapes that differ, a mask that is not boolean or a focus outside [0, 1].
    """
    _check_focus(variance_focus)
    _check_maps(prediction, target, valid)
    with full_precision(prediction):
        prediction, target = as_float(prediction), as_float(target)
        if prediction.numel() == 0:
            return prediction.sum() * 0
        if valid is None:
            valid = torch.ones_like(prediction, dtype=torch.bool)
        # one where nothing counts: its logarithm is zero, and so is the gradient
        log_ratio = (
            torch.where(valid, prediction, 1.0).log() - torch.where(valid, target, 1.0).log()
        )
        count = valid.sum().clamp_min(1)
        mean = log_ratio.sum() / count
        deviation = torch.where(valid, log_ratio - mean, 0.0)
        error = deviation.square().sum() / count + (1 - variance_focus) * mean.square()
        if not root:
            return error
        positive = error > 0
        return torch.where(positive, torch.where(positive, error, 1.0).sqrt(), error * 0)


def _check_focus(variance_focus: float) -> None:
    if not 0 <= variance_focus <= 1:
        raise ValueError(f'variance_focus must be in [0, 1], got {variance_focus}')


def _check_maps(prediction: Tensor, target: Tensor, valid: Tensor | None) -> None:
    for name, tensor in (('target', target), ('valid', valid)):
        if tensor is not None and tensor.shape != prediction.shape:
            raise ValueError(
                f'{name} must have the shape of prediction, {tuple(prediction.shape)}, '
                f'got {tuple(tensor.shape)}'
            )
    if valid is not None and valid.dtype != torch.bool:
        raise ValueError(f'valid must be boolean, got {valid.dtype}')


def gradient_smoothness(depth: Tensor, image: Tensor | None = None) -> Tensor:
    r"""Penalise squared depth gradients, less so where the image has an edge.

    .. math:: L = \mathrm{mean}\bigl[(\partial_x d)^2 e^{-|\partial_x I|}\bigr]
                + \mathrm{mean}\bigl[(\partial_y d)^2 e^{-|\partial_y I|}\bigr]

    with forward differences and :math:`|\partial I|` averaged over the image's channels. The
    local-to-global paper names an L2 gradient loss "inspired from" an edge-aware one and states
    neither weights nor form; without an image the weights are one.

    Args:
        depth: (N, 1, H, W).
        image: (N, D, H, W) in the range in which an edge is about 1 (0-1 or normalised; not
            0-255). None: plain smoothness.

    Returns:
        Scalar, in squared units of depth per pixel; zero (with its graph) for a single pixel.

    Raises:
        ValueError: For shapes that do not fit.
    """
    check_shapes(depth=(depth, 'N 1 H W'), image=(image, 'N D H W'))
    with full_precision(depth):
        depth = as_float(depth)
        image = None if image is None else as_float(image)
        return _smoothness_along(depth, image, dim=3) + _smoothness_along(depth, image, dim=2)


def _smoothness_along(depth: Tensor, image: Tensor | None, dim: int) -> Tensor:
    terms = depth.diff(dim=dim).square()
    if image is not None:
        terms = terms * (-image.diff(dim=dim).abs().mean(dim=1, keepdim=True)).exp()
    return terms.mean() if terms.numel() else depth.sum() * 0


class BerHuLoss(nn.Module):
    """Module form of :func:`berhu`.

    Args:
        threshold: Positive.
        loss_weight: Factor on the loss.
    """

    def __init__(self, threshold: float = 0.2, loss_weight: float = 1.0) -> None:
        super().__init__()
        check_positive(threshold=threshold)
        self.threshold, self.loss_weight = threshold, loss_weight

    def forward(self, prediction: Tensor, target: Tensor, valid: Tensor | None = None) -> Tensor:
        """See :func:`berhu`."""
        return self.loss_weight * berhu(prediction, target, valid, self.threshold)


class SILogLoss(nn.Module):
    """Module form of :func:`silog`.

    Args:
        variance_focus: In [0, 1].
        root: Take the square root.
        loss_weight: Factor on the loss.
    """

    def __init__(
        self, variance_focus: float = 0.85, root: bool = True, loss_weight: float = 1.0
    ) -> None:
        super().__init__()
        _check_focus(variance_focus)
        self.variance_focus, self.root, self.loss_weight = variance_focus, root, loss_weight

    def forward(self, prediction: Tensor, target: Tensor, valid: Tensor | None = None) -> Tensor:
        """See :func:`silog`."""
        return self.loss_weight * silog(prediction, target, valid, self.variance_focus, self.root)


class GradientSmoothnessLoss(nn.Module):
    """Module form of :func:`gradient_smoothness`.

    Args:
        loss_weight: Factor on the loss.
    """

    def __init__(self, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(self, depth: Tensor, image: Tensor | None = None) -> Tensor:
        """See :func:`gradient_smoothness`."""
        return self.loss_weight * gradient_smoothness(depth, image)
