"""berHu, SILog and smoothness against loops over pixels."""

import loss_oracles as oracle
import pytest
import torch
from loss_oracles import compare, vectors

from semcl_mm.losses import (
    BerHuLoss,
    GradientSmoothnessLoss,
    SILogLoss,
    berhu,
    gradient_smoothness,
    silog,
)


@pytest.mark.parametrize('threshold', [0.2, 0.5, 1.0])
def test_berhu_equals_the_loop_over_valid_pixels(threshold):
    target, valid = vectors(2, 1, 4, 5, seed=1), vectors(2, 1, 4, 5, seed=2) > -0.5
    everywhere = torch.ones_like(valid)
    for mask in (valid, everywhere):
        compare(
            lambda p, m=mask: berhu(p, target, m, threshold),
            lambda p, m=mask: oracle.berhu(p, target, m, threshold),
            [vectors(2, 1, 4, 5)],
        )
    torch.testing.assert_close(berhu(target + 1, target), berhu(target + 1, target, everywhere))


def test_berhu_of_known_errors():
    """Errors 1 and 10, c = 2: (1 + (100 + 4) / 4) / 2 = 13.5; both branches meet at c."""
    prediction = torch.tensor([1.0, -10.0], requires_grad=True)
    loss = berhu(prediction, torch.zeros(2))
    assert loss.item() == pytest.approx(13.5)
    (grad,) = torch.autograd.grad(loss, prediction)
    torch.testing.assert_close(grad, torch.tensor([0.5, -2.5]))  # sign(e) and e / c, halved
    assert berhu(torch.tensor([2.0, 10.0]), torch.zeros(2)).item() == pytest.approx((2 + 26) / 2)


def test_berhu_ignores_whatever_invalid_pixels_hold():
    prediction = vectors(1, 1, 2, 3).requires_grad_()
    target, valid = vectors(1, 1, 2, 3, seed=1), torch.ones(1, 1, 2, 3, dtype=torch.bool)
    valid[0, 0, 0, :2] = False
    loss = berhu(prediction, target, valid)
    for junk in (float('nan'), float('inf'), 1e9):
        target[~valid] = junk
        other = berhu(prediction, target, valid)
        assert torch.equal(loss, other)
        (grad,) = torch.autograd.grad(other, prediction)
        assert grad.isfinite().all()
        assert grad[~valid].eq(0).all()


def test_berhu_without_valid_pixels_or_errors_is_zero_and_keeps_its_graph():
    prediction = vectors(1, 1, 2, 3).requires_grad_()
    for loss in (
        berhu(prediction, prediction + 1, torch.zeros(1, 1, 2, 3, dtype=torch.bool)),
        berhu(prediction, prediction.detach()),
        berhu(prediction[:0], prediction[:0].detach()),
    ):
        assert loss.item() == 0
        assert torch.autograd.grad(loss, prediction)[0].eq(0).all()


@pytest.mark.parametrize('root', [True, False])
@pytest.mark.parametrize('focus', [0.0, 0.5, 0.85, 1.0])
def test_silog_equals_the_pairwise_form_over_valid_pixels(focus, root):
    target, valid = vectors(2, 1, 3, 4, seed=1).exp(), vectors(2, 1, 3, 4, seed=2) > -0.5
    for mask in (valid, torch.ones_like(valid)):
        compare(
            lambda p, m=mask: silog(p.exp(), target, m, focus, root),
            lambda p, m=mask: oracle.silog(p.exp(), target, m, focus, root),
            [vectors(2, 1, 3, 4)],
        )
    torch.testing.assert_close(
        silog(2 * target, target), silog(2 * target, target, torch.ones_like(valid))
    )


def test_silog_of_a_factor_is_its_logarithm_times_what_the_focus_leaves():
    """All predictions k times too far: mean(g^2) - f mean(g)^2 = (1 - f) ln(k)^2."""
    target = vectors(50).exp()
    for k in (0.5, 1.0, 3.0):
        expected = 0.15**0.5 * abs(torch.tensor(k, dtype=torch.float64).log())
        torch.testing.assert_close(silog(k * target, target), expected)
        assert silog(k * target, target, variance_focus=1.0).item() == pytest.approx(0, abs=1e-12)
    # g = +1, -1: variance 1, mean 0
    e = torch.tensor([2.718281828459045, 1 / 2.718281828459045], dtype=torch.float64)
    assert silog(e, torch.ones(2, dtype=torch.float64)).item() == pytest.approx(1)


def test_silog_ignores_whatever_invalid_pixels_hold():
    prediction = vectors(1, 1, 2, 3).exp().requires_grad_()
    target, valid = vectors(1, 1, 2, 3, seed=1).exp(), torch.ones(1, 1, 2, 3, dtype=torch.bool)
    valid[0, 0, 0, :2] = False
    loss = silog(prediction, target, valid)
    for junk in (float('nan'), float('inf'), 0.0, -1.0):
        target[~valid] = junk
        other = silog(prediction, target, valid)
        assert torch.equal(loss, other)
        (grad,) = torch.autograd.grad(other, prediction)
        assert grad.isfinite().all()
        assert grad[~valid].eq(0).all()


def test_silog_without_valid_pixels_or_errors_is_zero_with_a_zero_gradient():
    prediction = vectors(1, 1, 2, 3).exp().requires_grad_()
    for loss in (
        silog(prediction, prediction.detach(), torch.zeros(1, 1, 2, 3, dtype=torch.bool)),
        silog(prediction, prediction.detach()),
        silog(prediction[:0], prediction[:0].detach()),
    ):
        assert loss.item() == 0
        assert torch.autograd.grad(loss, prediction)[0].eq(0).all()


@pytest.mark.parametrize('with_image', [False, True])
def test_smoothness_equals_the_loop_over_neighbours(with_image):
    inputs = [vectors(2, 1, 3, 4)] + ([vectors(2, 3, 3, 4, seed=1)] if with_image else [])
    compare(gradient_smoothness, oracle.gradient_smoothness, inputs)


def test_smoothness_of_a_ramp_is_its_squared_slope_and_an_edge_discounts_it():
    ramp = 3.0 * torch.arange(6.0).expand(2, 1, 4, 6)
    assert gradient_smoothness(ramp).item() == pytest.approx(9)
    image = ramp.expand(2, 3, 4, 6)
    assert gradient_smoothness(ramp, image).item() == pytest.approx(9 * 2.718281828**-3)
    assert gradient_smoothness(ramp, torch.zeros(2, 3, 4, 6)).item() == pytest.approx(9)
    assert gradient_smoothness(ramp.mT).item() == pytest.approx(9)


@pytest.mark.parametrize('shape', [(1, 1, 1, 1), (2, 1, 1, 4), (0, 1, 3, 3)])
def test_smoothness_of_a_single_line_or_pixel_is_finite(shape):
    depth = torch.ones(shape, requires_grad=True)
    loss = gradient_smoothness(depth, torch.ones(shape[0], 3, *shape[2:]))
    assert loss.item() == 0
    assert torch.autograd.grad(loss, depth)[0].isfinite().all()


def test_gradcheck():
    depth, image = vectors(1, 1, 3, 3).requires_grad_(), vectors(1, 2, 3, 3, seed=1)
    assert torch.autograd.gradcheck(gradient_smoothness, (depth, image))
    # The largest error stands still, since c is a constant.
    fixed = torch.tensor([9.0], dtype=torch.float64)
    prediction = vectors(8).requires_grad_()

    def loss(p):
        return berhu(torch.cat([p, fixed]), torch.zeros(9, dtype=torch.float64))

    assert torch.autograd.gradcheck(loss, (prediction,))


@pytest.mark.parametrize('lowered', [torch.bfloat16, torch.float16])
def test_half_inputs_are_computed_in_float32(lowered):
    prediction = (100 * vectors(1, 1, 4, 4)).to(lowered).requires_grad_()
    target = torch.full_like(prediction, 300.0)
    with torch.autocast('cpu', dtype=lowered):
        losses = berhu(prediction, target), gradient_smoothness(1000 * prediction.detach())
    assert torch.equal(losses[0], berhu(prediction.float(), target.float()))
    assert all(x.dtype == torch.float32 for x in losses)


def test_modules_are_the_weighted_functions():
    prediction, target = vectors(1, 1, 4, 5), vectors(1, 1, 4, 5, seed=1)
    torch.testing.assert_close(
        BerHuLoss(0.5, 2.0)(prediction, target), 2 * berhu(prediction, target, None, 0.5)
    )
    near, far = prediction.exp(), target.exp()
    torch.testing.assert_close(
        SILogLoss(0.5, False, 10.0)(near, far), 10 * silog(near, far, None, 0.5, False)
    )
    torch.testing.assert_close(
        GradientSmoothnessLoss(0.1)(prediction), 0.1 * gradient_smoothness(prediction)
    )


@pytest.mark.parametrize(
    ('call', 'message'),
    [
        (
            lambda x: berhu(x, x[:, :, :2]),
            r'target must have the shape .*\(2, 1, 3, 4\), got \(2, 1',
        ),
        (lambda x: berhu(x, x, x), 'valid must be boolean, got torch.float32'),
        (lambda x: berhu(x, x, threshold=0), 'threshold must be positive, got 0'),
        (lambda x: BerHuLoss(threshold=-1), 'threshold must be positive, got -1'),
        (lambda x: silog(x, x, x), 'valid must be boolean, got torch.float32'),
        (lambda x: SILogLoss(1.5), r'variance_focus must be in \[0, 1\], got 1.5'),
        (lambda x: gradient_smoothness(x[:, 0]), r'depth must be \(N, 1, H, W\), got \(2, 3, 4\)'),
        (lambda x: gradient_smoothness(x.expand(2, 3, 3, 4)), r'depth must be \(N, 1, H, W\)'),
        (lambda x: gradient_smoothness(x, x[..., :2]), r'image must be .* with N=2, H=3, W=4'),
    ],
)
def test_wrong_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(torch.ones(2, 1, 3, 4))
