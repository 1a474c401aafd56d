"""Depth heads: their ranges, their structure, and what counts in their losses."""

import pytest
import torch
from mmengine.registry import MODELS
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from semcl_mm.downstream.depth import AdaptiveBinsDepthHead, LinearDepthHead, UPerDepthHead
from semcl_mm.downstream.depth.bins_head import bin_centres, sine_positions
from semcl_mm.losses import (
    BerHuLoss,
    GradientSmoothnessLoss,
    SILogLoss,
    berhu,
    gradient_smoothness,
    silog,
)

CHANNELS = [8, 12, 16, 20]
PYRAMID = dict(in_channels=CHANNELS, in_index=[0, 1, 2, 3], pool_scales=(1, 2), channels=16)
HEADS = {
    'uper': dict(type=UPerDepthHead, **PYRAMID),
    'bins': dict(
        type=AdaptiveBinsDepthHead, num_bins=5, embed_dims=16, num_layers=3, num_heads=2, **PYRAMID
    ),
    'linear': dict(type=LinearDepthHead, in_channels=8, in_index=0, num_upsamplings=2),
}


def build(name, seed=0, **kwargs):
    torch.manual_seed(seed)
    return MODELS.build(dict(HEADS[name], max_depth=10.0, min_depth=0.5, **kwargs))


def pyramid(batch=2, seed=1, scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    return [
        scale * torch.randn(batch, c, 16 >> i, 24 >> i, generator=generator)
        for i, c in enumerate(CHANNELS)
    ]


def samples(truth):
    result = [SegDataSample() for _ in truth]
    for sample, depth in zip(result, truth, strict=True):
        sample.gt_depth_map = PixelData(data=depth)
    return result


@pytest.mark.parametrize('name', HEADS)
def test_depth_lies_within_the_range_however_large_the_features(name):
    depth = build(name)(pyramid(scale=100.0))
    assert depth.shape[:2] == (2, 1)
    assert depth.dtype == torch.float32
    assert depth.min() >= 0.5
    assert depth.max() <= 10


@pytest.mark.parametrize('name', HEADS)
def test_every_parameter_learns(name):
    """One without a gradient would stop a distributed run."""
    head = build(name)
    losses = head.loss(pyramid(), samples(1 + 8 * torch.rand(2, 1, 32, 48)))
    losses['loss_silog'].backward()
    idle = [key for key, p in head.named_parameters() if p.grad is None or not p.grad.any()]
    # a bias of all bins' or all keys' scores cancels in the softmax over them
    assert all('in_proj_bias' in key or key == 'width_mlp.2.bias' for key in idle), idle


@pytest.mark.parametrize('name', HEADS)
def test_half_precision_predicts_in_float32(name):
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert build(name)(pyramid()).dtype == torch.float32


def test_a_score_of_zero_is_the_middle_of_the_range():
    head = build('uper')
    torch.nn.init.zeros_(head.conv_seg.weight)
    torch.nn.init.zeros_(head.conv_seg.bias)
    torch.testing.assert_close(head(pyramid()), torch.full((2, 1, 16, 24), 5.25))


@pytest.mark.parametrize(('steps', 'kernel'), [(1, 4), (4, 4), (4, 2), (3, 2)])
def test_the_linear_head_is_affine_up_to_its_sigmoid_and_doubles_the_size_each_step(steps, kernel):
    torch.manual_seed(0)
    head = LinearDepthHead(16, num_upsamplings=steps, kernel_size=kernel, max_depth=10.0).double()
    x, y = torch.randn(2, 3, 16, 3, 4, dtype=torch.float64)

    def scores(features):
        fraction = (head([features]) - head.min_depth) / (head.max_depth - head.min_depth)
        return fraction.logit()

    assert scores(x).shape == (3, 1, 3 * 2**steps, 4 * 2**steps)
    torch.testing.assert_close(scores(0.3 * x + 0.7 * y), 0.3 * scores(x) + 0.7 * scores(y))
    widths = {p.shape[0] for key, p in head.named_parameters() if key.endswith('weight')}
    assert widths == {16 // 2**i for i in range(steps)}


def test_centres_are_the_middles_of_bins_that_tile_the_range():
    widths = torch.rand(3, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    widths = widths / widths.sum(1, keepdim=True)
    centres = bin_centres(widths, 0.5, 10.0)
    for row, expected in zip(widths.tolist(), centres.tolist(), strict=True):
        edge = 0.5
        for width, centre in zip(row, expected, strict=True):
            assert centre == pytest.approx(edge + 9.5 * width / 2)
            edge += 9.5 * width
        assert edge == pytest.approx(10.0)
    uniform = bin_centres(torch.full((1, 4), 0.25), 0.0, 8.0)
    assert uniform.tolist() == [[1, 3, 5, 7]]


def test_depth_is_the_expectation_of_the_bins_of_each_image():
    head = build('bins').eval()
    centres, probabilities = head.bins(pyramid())
    assert centres.shape == (2, 5)
    assert (centres.diff(dim=1) > 0).all()
    assert (centres[0] != centres[1]).any(), 'bins do not adapt to the image'
    torch.testing.assert_close(probabilities.sum(1), torch.ones(2, 16, 24))
    depth = head(pyramid())
    for n, i, j in [(0, 0, 0), (1, 7, 20), (1, 15, 23)]:
        expected = sum(centres[n, k] * probabilities[n, k, i, j] for k in range(5))
        torch.testing.assert_close(depth[n, 0, i, j], expected)


def test_bins_need_a_layer_per_stage():
    with pytest.raises(ValueError, match='num_layers must be at least 3'):
        AdaptiveBinsDepthHead(num_layers=2, max_depth=10.0, **PYRAMID)


def test_position_codes_tell_all_places_apart_and_agree_between_sizes():
    codes = sine_positions(6, 8, 32)
    distance = torch.cdist(codes, codes) + 100 * torch.eye(48)
    assert distance.min() > 1e-2
    # the centre of a 1 x 1 map is the centre of a 3 x 3 one
    torch.testing.assert_close(sine_positions(1, 1, 32)[0], sine_positions(3, 3, 32)[4])


def test_losses_are_those_of_the_resized_prediction_at_the_labels_own_size():
    head = build(
        'uper',
        loss_decode=[
            dict(type=BerHuLoss, threshold=0.3),
            dict(type=SILogLoss, loss_weight=10.0),
            dict(type=GradientSmoothnessLoss, loss_weight=0.1),
        ],
    ).eval()
    truth = 12 * torch.rand(2, 1, 40, 56, generator=torch.Generator().manual_seed(2))
    truth[0, 0, :9] = 0
    losses = head.loss(pyramid(), samples(truth))
    depth = torch.nn.functional.interpolate(head(pyramid()), (40, 56), mode='bilinear')
    valid = (truth >= 0.5) & (truth <= 10)
    torch.testing.assert_close(losses['loss_berhu'], berhu(depth, truth, valid, 0.3))
    torch.testing.assert_close(losses['loss_silog'], 10 * silog(depth, truth, valid))
    torch.testing.assert_close(losses['loss_gradientsmoothness'], 0.1 * gradient_smoothness(depth))
    assert losses['known_pixels'] == pytest.approx(valid.float().mean().item())


def test_an_image_without_truth_is_counted_and_teaches_nothing():
    head = build('uper').eval()
    truth = 1 + 8 * torch.rand(2, 1, 32, 48, generator=torch.Generator().manual_seed(2))
    alone = head.loss([f[:1] for f in pyramid()], samples(truth[:1]))
    truth[1] = 0
    both = head.loss(pyramid(), samples(truth))
    torch.testing.assert_close(both['loss_silog'], alone['loss_silog'])
    assert (both['images_without_truth'].item(), alone['images_without_truth'].item()) == (0.5, 0)
    none = head.loss(pyramid(), samples(torch.full_like(truth, float('nan'))))
    assert none['loss_silog'].item() == 0
    none['loss_silog'].backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in head.parameters())


def test_smoothness_sees_the_image_only_when_it_is_to_be_edge_aware():
    images = torch.randn(2, 3, 32, 48, generator=torch.Generator().manual_seed(4))
    truth = samples(torch.ones(2, 1, 32, 48))
    loss = dict(type=GradientSmoothnessLoss)
    plain, aware = (build('uper', loss_decode=loss, edge_aware=e).eval() for e in (False, True))
    values = [h.loss(pyramid(), truth, images=images) for h in (plain, aware)]
    depth = torch.nn.functional.interpolate(plain(pyramid()), (32, 48), mode='bilinear')
    for value, image in zip(values, (None, images), strict=True):
        torch.testing.assert_close(
            value['loss_gradientsmoothness'], gradient_smoothness(depth, image)
        )


@pytest.mark.parametrize(
    ('call', 'message'),
    [
        (lambda: MODELS.build(dict(HEADS['uper'], max_depth=-1)), 'got 0.001, -1'),
        (
            lambda: LinearDepthHead(12, num_upsamplings=4, max_depth=1.0),
            '12 channels cannot be halved',
        ),
        (lambda: LinearDepthHead(16, kernel_size=3, max_depth=1.0), 'kernel_size must be 2 or 4'),
        (lambda: sine_positions(2, 2, 6), 'multiple of 4, got 6'),
    ],
)
def test_settings_that_do_not_fit_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
