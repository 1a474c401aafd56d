"""The error measures against closed forms, a loop over pixels and mmseg's; crops, caps, counts."""

import math

import numpy as np
import pytest
import torch
from mmseg.evaluation.metrics import DepthMetric as MMSegDepthMetric

from semcl_mm.downstream.depth import DepthMetric
from semcl_mm.downstream.depth.errors import error_sums, errors_of_sums, evaluation_region

NAMES = ['AbsRel', 'SqRel', 'RMSE', 'RMSElog', 'log10', 'SILog', 'd1', 'd2', 'd3']


def sample(prediction, target, name='a.png'):
    maps = dict(pred_depth_map=prediction, gt_depth_map=target)
    return dict({key: dict(data=value[None]) for key, value in maps.items()}, img_path=name)


def evaluate(pairs, **settings):
    metric = DepthMetric(**settings)
    metric.process({}, [sample(*pair) for pair in pairs])
    return metric.evaluate(len(pairs))


def depth(*shape, seed=0, low=0.5, high=9.5):
    generator = torch.Generator().manual_seed(seed)
    return low + (high - low) * torch.rand(*shape, generator=generator, dtype=torch.float64)


def slow_errors(pairs):
    """Every measure by its definition, one pixel at a time, over a list of (p, t)."""
    n = len(pairs)
    logs = [math.log(p) - math.log(t) for p, t in pairs]
    mean = sum(logs) / n
    within = [sum(max(p / t, t / p) < 1.25**i for p, t in pairs) / n for i in (1, 2, 3)]
    return dict(
        AbsRel=sum(abs(p - t) / t for p, t in pairs) / n,
        SqRel=sum((p - t) ** 2 / t for p, t in pairs) / n,
        RMSE=math.sqrt(sum((p - t) ** 2 for p, t in pairs) / n),
        RMSElog=math.sqrt(sum(g * g for g in logs) / n),
        log10=sum(abs(math.log10(p) - math.log10(t)) for p, t in pairs) / n,
        SILog=100 * math.sqrt(sum((g - mean) ** 2 for g in logs) / n),
        d1=within[0],
        d2=within[1],
        d3=within[2],
    )


@pytest.mark.parametrize('k', [0.5, 0.9, 1.0, 1.3, 1.7])
def test_errors_of_a_prediction_that_is_k_times_the_truth(k):
    target = depth(6, 7, high=4.0)
    result = evaluate([(k * target, target)])
    expected = dict(
        AbsRel=abs(k - 1),
        SqRel=(k - 1) ** 2 * target.mean().item(),
        RMSE=abs(k - 1) * target.square().mean().sqrt().item(),
        RMSElog=abs(math.log(k)),
        log10=abs(math.log10(k)),
        SILog=0,
        **{f'd{i}': float(max(k, 1 / k) < 1.25**i) for i in (1, 2, 3)},
    )
    assert {key: result[key] for key in NAMES} == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize('average', ['image', 'pixel'])
def test_averages_equal_the_loop_over_images_and_pixels(average):
    """20, 6 and 12 valid pixels: pooling weighs the images, averaging over them does not."""
    pairs = [(depth(4, 5, seed=i), depth(4, 5, seed=10 + i)) for i in range(3)]
    for (_, target), valid in zip(pairs, (20, 6, 12), strict=True):
        target.view(-1)[valid:] = 0
    flat = [
        [(p, t) for p, t in zip(a.flatten().tolist(), b.flatten().tolist(), strict=True) if t > 0]
        for a, b in pairs
    ]
    if average == 'pixel':
        expected = slow_errors([pixel for image in flat for pixel in image])
    else:
        errors = [slow_errors(image) for image in flat]
        expected = {name: sum(e[name] for e in errors) / 3 for name in NAMES}
    result = evaluate(pairs, average=average)
    assert {key: result[key] for key in NAMES} == pytest.approx(expected, rel=1e-9)


def test_one_image_has_the_errors_that_mmseg_computes():
    prediction, target = depth(50), depth(50, seed=1)
    theirs = MMSegDepthMetric._calc_all_metrics(target, prediction)
    ours = errors_of_sums(error_sums(prediction, target))
    names = dict(abs_rel='AbsRel', sq_rel='SqRel', rmse='RMSE', rmse_log='RMSElog', log10='log10')
    for name in ('d1', 'd2', 'd3'):
        names[name] = name
    for their_name, name in names.items():
        assert ours[name] == pytest.approx(theirs[their_name], rel=1e-6)


def test_kitti_regions_are_the_known_rows_and_columns_of_375_x_1242():
    assert evaluation_region('garg', 375, 1242) == (153, 371, 44, 1197)
    assert evaluation_region('eigen', 375, 1242) == (124, 342, 44, 1197)
    assert evaluation_region('nyu', 480, 640) == (45, 471, 41, 601)
    assert evaluation_region('none', 7, 9) == (0, 7, 0, 9)


def test_nyu_region_of_another_size_is_an_error():
    with pytest.raises(ValueError, match=r"crop='nyu' is a rectangle of 480 x 640 .* 240 x 320"):
        evaluation_region('nyu', 240, 320)


@pytest.mark.parametrize('crop', ['garg', 'eigen', 'nyu'])
def test_what_lies_outside_the_crop_does_not_matter(crop):
    size = (480, 640) if crop == 'nyu' else (75, 248)
    prediction, target = depth(*size), depth(*size, seed=1)
    reference = evaluate([(prediction, target)], crop=crop)
    top, bottom, left, right = evaluation_region(crop, *size)
    outside = torch.ones(size, dtype=torch.bool)
    outside[top:bottom, left:right] = False
    prediction[outside] = float('nan')
    assert evaluate([(prediction, target)], crop=crop) == reference
    inner = [x[top:bottom, left:right] for x in (prediction, target)]
    assert evaluate([inner]) == reference


def test_caps_leave_true_depths_out_and_clamp_predictions():
    target = torch.tensor([[0.0, 1.0, 2.0, 4.0, 5.0, 80.0]])
    prediction = torch.tensor([[9.0, -3.0, 2.0, 4.0, 5.0, 80.0]])
    result = evaluate([(prediction, target)], min_depth=0.5, max_depth=5.0)
    # 1, 2 and 4 m count; -3 becomes 0.5
    assert result['AbsRel'] == pytest.approx(0.5 / 3)
    assert result['RMSE'] == pytest.approx(math.sqrt(0.25 / 3))
    assert evaluate([(torch.full((1, 1), 7.0), torch.full((1, 1), 4.0))], max_depth=5.0)[
        'AbsRel'
    ] == pytest.approx(0.25)


@pytest.mark.parametrize('average', ['image', 'pixel'])
def test_an_image_without_truth_is_counted_and_changes_nothing_else(average):
    good = depth(3, 4), depth(3, 4, seed=1)
    empty = depth(3, 4), torch.zeros(3, 4)
    one, both = (evaluate(pairs, average=average) for pairs in ([good], [empty, good, empty]))
    assert (both['images'], both['images_without_truth']) == (1, 2)
    assert {key: both[key] for key in NAMES} == {key: one[key] for key in NAMES}
    assert all(math.isfinite(value) for value in both.values())


def test_a_data_set_without_any_truth_is_an_error_and_not_nan():
    with pytest.raises(ValueError, match=r'none of 2 images has a true depth between 0.001 and 10'):
        evaluate([(depth(2, 2), torch.zeros(2, 2))] * 2)


def test_sums_of_images_add_up_to_the_pooled_errors():
    prediction, target = depth(40), depth(40, seed=1)
    halves = error_sums(prediction[:10], target[:10]) + error_sums(prediction[10:], target[10:])
    np.testing.assert_allclose(halves, error_sums(prediction, target))


@pytest.mark.parametrize(
    ('pair', 'message'),
    [
        ((torch.ones(2, 3), torch.ones(4, 6)), r'a\.png: the prediction has \(2, 3\) pixels'),
        ((torch.full((2, 2), math.nan), torch.ones(2, 2)), r'a\.png: .* are not finite'),
    ],
)
def test_a_prediction_that_cannot_be_judged_names_the_image(pair, message):
    with pytest.raises(ValueError, match=message):
        evaluate([pair])


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(min_depth=0), 'caps must be 0 < min_depth < max_depth, got 0 and 10'),
        (dict(min_depth=3, max_depth=2), 'got 3 and 2'),
        (dict(crop='kitti'), "crop must be one of none, garg, eigen, nyu; got 'kitti'"),
        (dict(average='median'), 'average must be one of image, pixel'),
    ],
)
def test_settings_that_make_no_sense_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        DepthMetric(**settings)
