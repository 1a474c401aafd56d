"""The error measures of monocular depth estimation, as sums that images and data sets share."""

import numpy as np
import torch
from torch import Tensor

__all__ = ['CROPS', 'error_sums', 'errors_of_sums', 'evaluation_region']

#: Regions that are evaluated; see :func:`evaluation_region`.
CROPS = ('none', 'garg', 'eigen', 'nyu')

_LOG_10 = 2.302585092994046
#: Rows and columns as fractions of the image, of KITTI images of 375 x 1242 pixels.
_FRACTIONS = {
    'garg': (0.40810811, 0.99189189, 0.03594771, 0.96405229),
    'eigen': (0.3324324, 0.91351351, 0.0359477, 0.96405229),
}
_NYU_SIZE, _NYU_REGION = (480, 640), (45, 471, 41, 601)


def evaluation_region(crop: str, height: int, width: int) -> tuple[int, int, int, int]:
    """The part of an image that counts.

    Args:
        crop: ``'none'``: everything. ``'garg'`` and ``'eigen'``: the two regions in which KITTI is
            evaluated (Garg et al., 2016; Eigen et al., 2014), as fractions of the full image.
            ``'nyu'``: Eigen's region of NYUv2, which leaves the white border out; 480 x 640 only.
        height: Of the image, in pixels.
        width: Of the image, in pixels.

    Returns:
        First row, end row, first column, end column; ends are exclusive.

    Raises:
        ValueError: For another name, or another size than NYUv2's with ``'nyu'``.
    """
    if crop not in CROPS:
        raise ValueError(f'crop must be one of {", ".join(CROPS)}; got {crop!r}')
    if crop == 'none':
        return 0, height, 0, width
    if crop == 'nyu':
        if (height, width) != _NYU_SIZE:
            raise ValueError(
                f"crop='nyu' is a rectangle of 480 x 640 (rows x columns), got {height} x {width}"
            )
        return _NYU_REGION
    top, bottom, left, right = _FRACTIONS[crop]
    return int(top * height), int(bottom * height), int(left * width), int(right * width)


def error_sums(prediction: Tensor, target: Tensor) -> np.ndarray:
    """What the errors of one image are made of, summed over its pixels.

    Args:
        prediction: Positive depth (P,), in metres.
        target: Positive true depth (P,), in metres.

    Returns:
        (10,) float64: the number of pixels, then sums over them of the relative error, the squared
        error over the true depth, the squared error, the squared log ratio, the log ratio, the
        absolute log10 ratio, and the pixels within a factor of 1.25, 1.25 ** 2 and 1.25 ** 3. All
        zero without a pixel.
    """
    prediction, target = prediction.double(), target.double()
    error = prediction - target
    log_ratio = prediction.log() - target.log()
    factor = torch.maximum(prediction / target, target / prediction)
    terms = [
        torch.ones_like(target),
        error.abs() / target,
        error.square() / target,
        error.square(),
        log_ratio.square(),
        log_ratio,
        log_ratio.abs() / _LOG_10,
        *((factor < 1.25**power).double() for power in (1, 2, 3)),
    ]
    return torch.stack([term.sum() for term in terms]).cpu().numpy()


def errors_of_sums(sums: np.ndarray) -> dict[str, np.ndarray]:
    """The errors that sums of :func:`error_sums` amount to.

    Sums of one image give its errors. Sums added over images give those of all their pixels
    pooled.

    Args:
        sums: (..., 10), with at least one pixel everywhere.

    Returns:
        (...) each. ``AbsRel``: mean ``|p - t| / t``. ``SqRel``: mean ``(p - t)^2 / t``, metres.
        ``RMSE``: metres. ``RMSElog``: root of mean ``g^2`` with ``g = ln p - ln t``. ``log10``:
        mean ``|log10 p - log10 t|``. ``SILog``: 100 times the standard deviation of ``g`` (KITTI's
        measure). ``d1``, ``d2``, ``d3``: fraction with ``max(p / t, t / p) < 1.25 ** i``.
    """
    sums = np.asarray(sums, np.float64)
    means = sums[..., 1:] / sums[..., :1]
    relative, square_relative, square, log_square, log, log10, *within = np.moveaxis(means, -1, 0)
    return {
        'AbsRel': relative,
        'SqRel': square_relative,
        'RMSE': np.sqrt(square),
        'RMSElog': np.sqrt(log_square),
        'log10': log10,
        'SILog': 100 * np.sqrt(np.maximum(log_square - log**2, 0.0)),
        'd1': within[0],
        'd2': within[1],
        'd3': within[2],
    }
