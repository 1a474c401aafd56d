"""CACL's cycle loss against the dense matrices of Eq. 5, and its limits."""

import math

import loss_oracles as oracle
import pytest
import torch
from loss_oracles import compare, vectors

from semcl_mm.analysis.measuring import PeakBytes
from semcl_mm.losses import CycleAttentionLoss, cycle_attention


def problem(images=2, cells=4, channels=5, negatives=9, dtype=torch.float64):
    here = vectors(images, cells, channels, dtype=dtype)
    there = vectors(images, cells, channels, seed=1, dtype=dtype)
    queue = vectors(negatives, channels, seed=2, dtype=dtype)
    target = vectors(images, cells, cells, seed=3, dtype=dtype).softmax(dim=-1)
    return here, there, queue, target


@pytest.mark.parametrize('soft', [False, True])
@pytest.mark.parametrize('with_queue', [False, True])
@pytest.mark.parametrize('temperature', [0.05, 0.07, 0.5])
def test_cycle_loss_equals_equations_5_and_6(temperature, with_queue, soft):
    """M = softmax(<c, c+>/tau) softmax(<c+, [c; c-]>/tau); hard: CE(M, I); soft: KL(T || M)."""
    here, there, queue, target = problem()

    def run(function):
        return lambda c, c_next, q, t: (
            function(c, c_next, temperature, q if with_queue else None, t if soft else None)
            + 0 * (q.sum() + t.sum())
        )

    compare(run(cycle_attention), run(oracle.cycle_attention), [here, there, queue, target], 1e-9)


def test_the_hard_loss_is_the_soft_loss_of_the_identity():
    here, there, queue, _ = problem()
    identity = torch.eye(4, dtype=torch.float64).expand(2, 4, 4)
    torch.testing.assert_close(
        cycle_attention(here, there, 0.07, queue, identity),
        cycle_attention(here, there, 0.07, queue),
    )


@pytest.mark.parametrize('soft', [False, True])
def test_equal_features_give_the_logarithm_of_all_the_places_to_jump_to(soft):
    """All logits equal: M_im = 1 / (L + K). Hard: log(L + K); soft, uniform: log((L + K) / L)."""
    same, queue = torch.ones(2, 4, 8), torch.ones(12, 8)
    target = torch.full((2, 4, 4), 0.25) if soft else None
    loss = cycle_attention(same, same, 0.07, queue, target)
    assert loss.item() == pytest.approx(math.log(16 / 4 if soft else 16), abs=1e-5)


def test_distinct_cells_that_recur_cost_nothing_and_their_order_does_not_matter():
    here = torch.eye(6)[None]
    order = torch.tensor([3, 1, 5, 0, 2, 4])
    assert cycle_attention(here, here[:, order], 0.01).item() == pytest.approx(0, abs=1e-6)
    here, there, queue, target = problem()
    order = torch.tensor([2, 0, 3, 1])
    torch.testing.assert_close(
        cycle_attention(here[:, order], there, 0.07, queue, target[:, order][:, :, order]),
        cycle_attention(here, there[:, order], 0.07, queue.flip(0), target),
    )


@pytest.mark.parametrize('soft', [False, True])
@pytest.mark.parametrize('temperature', [0.07, 0.01, 0.001])
def test_float32_follows_float64_and_has_a_gradient_at_any_temperature(temperature, soft):
    """Cell 1 returns so rarely that an epsilon would hide it and float32 products would drop it."""
    here = torch.tensor([[[1.0, 0.0], [-1.0, 0.01], [0.8, 0.6]]])
    there = torch.tensor([[[1.0, 0.0], [0.99, 0.1], [0.8, 0.61]]])
    target = torch.eye(3).roll(1, 0)[None] if soft else None
    here.requires_grad_()
    loss = cycle_attention(here, there, temperature, soft_target=target)
    (grad,) = torch.autograd.grad(loss, here)
    wide = here.detach().double().requires_grad_()
    wide_target = None if target is None else target.double()
    expected = cycle_attention(wide, there.double(), temperature, soft_target=wide_target)
    (expected_grad,) = torch.autograd.grad(expected, wide)
    assert grad.isfinite().all()
    torch.testing.assert_close(loss, expected.float(), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(grad, expected_grad.float(), rtol=1e-3, atol=1e-3 / temperature)


def test_hard_gradient_does_not_vanish_where_the_return_is_unlikely():
    """log(M + 1e-20) is flat once M < 1e-20; the log domain keeps pulling."""
    here = torch.tensor([[[1.0, 0.0], [-1.0, 0.3]]], dtype=torch.float64, requires_grad=True)
    there = torch.tensor([[[1.0, 0.0], [1.0, 0.1]]], dtype=torch.float64)
    loss = cycle_attention(here, there, 0.02)
    (grad,) = torch.autograd.grad(loss, here)
    assert loss.item() > math.log(1e20) / 2
    assert grad[0, 1].abs().max() > 1


@pytest.mark.parametrize('soft', [False, True])
def test_gradcheck(soft):
    here, there, queue, target = problem(1, 3, 3, 4)
    inputs = [x.requires_grad_() for x in (here, there, queue, target)]
    assert torch.autograd.gradcheck(
        lambda c, d, q, t: cycle_attention(c, d, 0.3, q, t if soft else None), inputs
    )


@pytest.mark.parametrize('lowered', [torch.bfloat16, torch.float16])
def test_autocast_changes_nothing_and_half_inputs_give_finite_gradients(lowered):
    here, there, queue, target = (x.to(lowered) for x in problem(dtype=torch.float32))
    here.requires_grad_()
    for t in (None, target):
        exact = cycle_attention(
            here.float(), there.float(), 0.07, queue.float(), None if t is None else t.float()
        )
        with torch.autocast('cpu', dtype=lowered):
            loss = cycle_attention(here, there, 0.07, queue, t)
        assert torch.equal(loss, exact)
        assert torch.autograd.grad(loss, here)[0].isfinite().all()


@pytest.mark.parametrize('soft', [False, True])
def test_no_tensor_of_cells_times_queue_is_made(soft):
    here, there, queue, target = problem(2, 196, 32, 32768, torch.float32)
    here.requires_grad_()
    there.requires_grad_()
    with PeakBytes() as memory:
        cycle_attention(here, there, 0.07, queue, target if soft else None).backward()
    assert memory.largest <= 5 * 2**20  # 2 x 196 x 32768 would be 49 MiB
    assert memory.peak <= 16 * 2**20


def test_without_cells_the_loss_is_zero_and_keeps_its_graph():
    here = torch.zeros(2, 0, 4, requires_grad=True)
    for features in (here, here.transpose(0, 1)):
        loss = cycle_attention(features, features)
        assert loss.item() == 0
        assert loss.requires_grad


def test_the_module_is_the_weighted_function():
    here, there, queue, target = problem()
    torch.testing.assert_close(
        CycleAttentionLoss(0.1, 2.0)(here, there, queue, target),
        2 * cycle_attention(here, there, 0.1, queue, target),
    )


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (
            {'features_next': torch.ones(2, 5, 5)},
            r'features_next must be \(B, L, C\) .*\(2, 5',
        ),
        ({'negatives': torch.ones(9, 4)}, r'negatives must be \(K, C\) with C=5, got \(9, 4\)'),
        ({'soft_target': torch.ones(2, 4, 13)}, r'soft_target must be \(B, L, L\) .*\(2, 4, 13\)'),
        ({'temperature': -0.07}, 'temperature must be positive, got -0.07'),
    ],
)
def test_wrong_arguments_are_named(change, message):
    here, there, queue, _ = problem()
    with pytest.raises(ValueError, match=message):
        cycle_attention(**{'features': here, 'features_next': there, 'negatives': queue, **change})
