"""Sliding windows and mirrored images do what they say, against slow references."""

import pytest
import torch
from mmengine.model import BaseModule
from mmengine.registry import MODELS
from mmengine.structures import PixelData
from mmseg.models import SegDataPreProcessor
from mmseg.structures import SegDataSample
from torch import nn

from semcl_mm.downstream.depth import DepthEstimator, LinearDepthHead
from semcl_mm.downstream.depth.estimator import window_starts


class Glance(BaseModule):
    """Features that depend on the whole input and the place in it: an image is not its windows."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, stride=2, padding=1)

    def forward(self, x):
        columns = torch.linspace(0, 1, x.shape[3], dtype=x.dtype)
        return (self.conv(x * columns + x.mean((1, 2, 3), keepdim=True)),)


def estimator(test_cfg, seed=0, **kwargs):
    torch.manual_seed(seed)
    cfg = dict(
        type=DepthEstimator,
        data_preprocessor=dict(
            type=SegDataPreProcessor, size=(8, 12), seg_pad_val=0, test_cfg=dict(size_divisor=8)
        ),
        backbone=dict(type=Glance),
        decode_head=dict(type=LinearDepthHead, in_channels=4, num_upsamplings=1, max_depth=10.0),
        test_cfg=test_cfg,
        **kwargs,
    )
    return MODELS.build(cfg).double().eval()


def images(*shape, seed=1):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def slow_slide(model, x, window, stride, flip):
    """For each pixel the mean over the windows it lies in, each predicted on its own."""
    height, width = x.shape[2:]
    predictions = {}
    for top in [*range(0, max(height - window[0], 0), stride[0]), max(height - window[0], 0)]:
        for left in [*range(0, max(width - window[1], 0), stride[1]), max(width - window[1], 0)]:
            part = x[:, :, top : top + window[0], left : left + window[1]]
            depth = model.encode_decode(part)
            if flip:
                mirrored = model.encode_decode(torch.flip(part, dims=[3]))
                depth = 0.5 * depth + 0.5 * torch.flip(mirrored, dims=[3])
            predictions[top, left] = depth
    result = torch.empty(len(x), 1, height, width, dtype=x.dtype)
    for i in range(height):
        for j in range(width):
            seen = [
                depth[:, 0, i - top, j - left]
                for (top, left), depth in predictions.items()
                if top <= i < top + depth.shape[2] and left <= j < left + depth.shape[3]
            ]
            result[:, 0, i, j] = sum(seen) / len(seen)
    return result


@torch.no_grad()
@pytest.mark.parametrize('flip', [False, True])
@pytest.mark.parametrize(
    ('size', 'window', 'stride'),
    [
        ((16, 24), (8, 12), (8, 12)),
        ((14, 22), (8, 12), (5, 7)),  # the last windows are moved back
        ((16, 10), (8, 12), (4, 6)),  # narrower than a window
        ((6, 6), (8, 12), (8, 12)),
    ],
)
def test_sliding_is_the_mean_over_windows_of_each_pixel(size, window, stride, flip):
    model = estimator(dict(mode='slide', crop_size=window, stride=stride, flip=flip))
    x = images(2, 3, *size)
    torch.testing.assert_close(model.inference(x), slow_slide(model, x, window, stride, flip))


@torch.no_grad()
def test_sliding_is_not_the_whole_image_in_disguise():
    """mmseg's estimator runs the windows and returns the prediction of the whole image."""
    x = images(1, 3, 16, 24)
    slide = estimator(dict(mode='slide', crop_size=(8, 12), stride=(4, 6)))
    whole = estimator(dict(mode='whole'))
    assert (slide.inference(x) - whole.inference(x)).abs().max() > 1e-3
    torch.testing.assert_close(whole.inference(x), whole.encode_decode(x))


@torch.no_grad()
@pytest.mark.parametrize('mode', ['whole', 'slide'])
def test_with_the_flip_test_a_mirrored_image_has_the_mirrored_depth(mode):
    windows = dict(crop_size=(8, 12), stride=(8, 12)) if mode == 'slide' else {}
    x = images(1, 3, 16, 24)
    for flip in (False, True):
        model = estimator(dict(mode=mode, flip=flip, **windows))
        error = (model.inference(x.flip(3)) - model.inference(x).flip(3)).abs().max()
        assert (error < 1e-12) == flip


@torch.no_grad()
def test_a_batch_is_its_images_one_by_one():
    model = estimator(dict(mode='slide', crop_size=(8, 12), stride=(5, 7), flip=True))
    x = images(3, 3, 14, 22)
    torch.testing.assert_close(model.inference(x), torch.cat([model.inference(i[None]) for i in x]))


@pytest.mark.parametrize('size', range(1, 30))
@pytest.mark.parametrize(('window', 'stride'), [(8, 8), (8, 5), (7, 1)])
def test_windows_cover_every_pixel_stay_inside_and_none_is_seen_twice(size, window, stride):
    starts = window_starts(size, window, stride)
    seen = {p for start in starts for p in range(start, min(start + window, size))}
    assert seen == set(range(size))
    assert len(set(starts)) == len(starts)
    assert max(starts) + window <= max(size, window)


@torch.no_grad()
def test_predictions_come_without_padding_at_the_size_of_the_original():
    model = estimator(dict(mode='whole')).float()
    sample = SegDataSample(metainfo=dict(ori_shape=(26, 36), img_shape=(13, 18), img_path='a.png'))
    x = images(3, 13, 18).float()
    (result,) = model.test_step(dict(inputs=[x], data_samples=[sample]))
    assert result.pred_depth_map.data.shape == (1, 26, 36)
    padded = nn.functional.pad(x, (0, 6, 0, 3))[None]
    inner = model.encode_decode(padded)[..., :13, :18]
    expected = nn.functional.interpolate(inner, (26, 36), mode='bilinear')[0]
    torch.testing.assert_close(result.pred_depth_map.data, expected)


def labelled(count, size=(8, 12)):
    truth = 1 + 8 * torch.rand(count, 1, *size, generator=torch.Generator().manual_seed(3))
    samples = [SegDataSample() for _ in range(count)]
    for sample, depth in zip(samples, truth, strict=True):
        sample.gt_depth_map = PixelData(data=depth)
    return samples


def test_auxiliary_heads_learn_beside_the_main_one_and_predict_nothing():
    head = dict(type=LinearDepthHead, in_channels=4, num_upsamplings=1, max_depth=10.0)
    model = estimator(dict(), auxiliary_head=[head, head]).float()
    losses = model.loss(images(2, 3, 8, 12).float(), labelled(2))
    names = {name for name in losses if 'loss' in name}
    assert names == {f'{head}.loss_silog' for head in ('decode', 'aux_0', 'aux_1')}
    sum(losses[name] for name in names).backward()
    assert all(p.grad is not None for p in model.parameters())


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(mode='slide_flip'), "test_cfg.mode must be one of whole, slide; got 'slide_flip'"),
        (
            dict(mode='slide', stride=(4, 4)),
            r'needs test_cfg\.crop_size=\(height, width\), got None',
        ),
        (dict(mode='slide', crop_size=(8, 8), stride=4), r'needs test_cfg\.stride'),
        (dict(mode='slide', crop_size=(8, 8), stride=(9, 8)), r'stride \(9, 8\) leaves gaps'),
        (dict(flipped=True), "test_cfg has no 'flipped'"),
    ],
)
def test_settings_of_the_inference_are_checked_when_the_model_is_built(settings, message):
    with pytest.raises(ValueError, match=message):
        estimator(settings)
