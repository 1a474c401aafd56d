"""InfoNCE and paired InfoNCE against loops over the papers' sums."""

import math

import loss_oracles as oracle
import pytest
import torch
from loss_oracles import compare, vectors

from semcl_mm.losses import InfoNCELoss, PairedInfoNCELoss, info_nce, paired_info_nce


@pytest.mark.parametrize('shape', [None, (9, 4), (5, 3, 4)])
@pytest.mark.parametrize('temperature', [0.07, 0.2, 1.0])
def test_info_nce_equals_the_loop_over_the_sum(shape, temperature):
    inputs = [vectors(5, 4), vectors(5, 4, seed=1)]
    inputs += [] if shape is None else [vectors(*shape, seed=2)]
    compare(
        lambda *x: info_nce(*x, temperature=temperature),
        lambda *x: oracle.info_nce(*x, temperature=temperature),
        inputs,
    )


@pytest.mark.parametrize('pairing', ['cyclic', 'triangular'])
@pytest.mark.parametrize(('views', 'others'), [(2, 3), (3, 3), (4, 1)])
def test_paired_info_nce_equals_the_loop_over_equation_3(views, others, pairing):
    """Eq. 3 for one sample, with e(a, b) = exp(a . b / tau):

    L_q = - sum_{j = t+1..n} log [ e(q_t, k+_j) / (sum_{i = 0..n} e(q_t, k-_i) + e(q_t, k+_j)) ].
    """
    inputs = [vectors(views, 5, 4), vectors(views, 5, 4, seed=1), vectors(others, 5, 4, seed=2)]
    compare(
        lambda *x: paired_info_nce(*x, temperature=0.3, pairing=pairing),
        lambda *x: oracle.paired_info_nce(*x, temperature=0.3, pairing=pairing),
        inputs,
    )


def test_equal_logits_give_one_log_four_for_each_of_three_pairs():
    """One positive and three negatives that are all alike: every softmax says 1/4.

    The authors' symmetric loss, two such halves, therefore starts at 6 ln 4 = 8.3.
    """
    same = torch.ones(3, 7, 16)
    for pairing in ('cyclic', 'triangular'):
        loss = paired_info_nce(same, same, same, pairing=pairing)
        assert loss.item() == pytest.approx(3 * math.log(4), abs=1e-6)
    assert info_nce(same[0], same[0]).item() == pytest.approx(math.log(7), abs=1e-6)


def test_a_triangle_of_two_views_is_one_pair_and_a_cycle_is_both():
    q, p, n = vectors(2, 5, 4), vectors(2, 5, 4, seed=1), vectors(3, 5, 4, seed=2)
    forward = paired_info_nce(q, p, n, pairing='triangular')
    backward = paired_info_nce(q.flip(0), p.flip(0), n, pairing='triangular')
    torch.testing.assert_close(paired_info_nce(q, p, n, pairing='cyclic'), forward + backward)


def test_a_sample_sees_no_negative_but_its_own():
    q, p, n = vectors(3, 5, 4), vectors(3, 5, 4, seed=1), vectors(3, 5, 4, seed=2)
    alone = [paired_info_nce(q[:, i : i + 1], p[:, i : i + 1], n[:, i : i + 1]) for i in range(5)]
    torch.testing.assert_close(paired_info_nce(q, p, n), sum(alone) / 5)
    order = torch.tensor([3, 1, 4, 0, 2])
    shuffled = paired_info_nce(q[:, order], p[:, order], n[torch.tensor([2, 0, 1])][:, order])
    torch.testing.assert_close(paired_info_nce(q, p, n), shuffled)


def test_lengths_of_the_embeddings_do_not_matter():
    q, k, n = vectors(5, 4), vectors(5, 4, seed=1), vectors(9, 4, seed=2)
    torch.testing.assert_close(info_nce(3 * q, 0.1 * k, 7 * n), info_nce(q, k, n))


@pytest.mark.parametrize('shape', [None, (3, 4), (2, 3, 4)])
def test_gradcheck(shape):
    inputs = [vectors(2, 4), vectors(2, 4, seed=1)]
    inputs += [] if shape is None else [vectors(*shape, seed=2)]
    assert torch.autograd.gradcheck(info_nce, [x.requires_grad_() for x in inputs])
    paired = [vectors(2, 2, 3, seed=s).requires_grad_() for s in range(3)]
    assert torch.autograd.gradcheck(paired_info_nce, paired)


@pytest.mark.parametrize('lowered', [torch.bfloat16, torch.float16])
def test_autocast_changes_nothing_and_half_inputs_give_a_float32_loss(lowered):
    inputs = [vectors(3, 5, 8, seed=s).to(lowered).requires_grad_() for s in range(3)]
    for loss, args in (
        (paired_info_nce, inputs),
        (info_nce, [inputs[0][0], inputs[1][0]]),
        (info_nce, [inputs[0][0], inputs[1][0], inputs[2][0]]),
        (info_nce, [inputs[0][0], inputs[1][0], inputs[2].transpose(0, 1)]),
    ):
        exact = loss(*(x.float() for x in args))
        with torch.autocast('cpu', dtype=lowered):
            value = loss(*args)
        assert value.dtype == torch.float32
        assert torch.equal(value, exact)
        (grad,) = torch.autograd.grad(value, inputs[0])
        assert grad.dtype == lowered
        assert grad.isfinite().all()


def test_opposite_embeddings_at_a_tiny_temperature_cost_two_over_it():
    """cos = -1 for the positive, +1 for the negative: softplus(2 / tau)."""
    q = vectors(4, 8, dtype=torch.float32).requires_grad_()
    for negatives in (q.detach(), q.detach()[:, None]):
        loss = info_nce(q, -q.detach(), negatives, temperature=1e-4)
        assert loss.item() == pytest.approx(2e4, rel=1e-5)
        assert torch.autograd.grad(loss, q)[0].isfinite().all()
    loss = paired_info_nce(q[None].expand(3, -1, -1), -q[None].expand(3, -1, -1), q[None], 1e-4)
    assert loss.item() == pytest.approx(6e4, rel=1e-5)


def test_without_negatives_or_samples_the_loss_is_zero_and_keeps_its_graph():
    q, k = vectors(1, 4).requires_grad_(), vectors(1, 4, seed=1)
    empty = torch.zeros(0, 4, dtype=torch.float64)
    losses = [
        info_nce(q, k),
        info_nce(q, k, empty),
        info_nce(q, k, empty[None]),
        info_nce(q[:0], k[:0]),
        paired_info_nce(q.expand(2, 1, 4), k.expand(2, 1, 4), empty[:, None]),
        paired_info_nce(q[:0].expand(2, 0, 4), q[:0].expand(2, 0, 4), q[:0].expand(2, 0, 4)),
    ]
    for loss in losses:
        assert loss.item() == 0
        assert torch.autograd.grad(loss, q, retain_graph=True)[0].eq(0).all()


def test_zero_vectors_stay_finite():
    q = torch.zeros(3, 4, requires_grad=True)
    loss = info_nce(q, torch.ones(3, 4), vectors(6, 4, dtype=torch.float32))
    loss.backward()
    assert loss.item() == pytest.approx(math.log(7), abs=1e-6)
    assert q.grad.eq(0).all()


@pytest.mark.parametrize('loss', [info_nce, paired_info_nce])
def test_compile_traces_the_whole_function(loss):
    shape = (5, 4) if loss is info_nce else (3, 5, 4)
    inputs = [vectors(*shape, seed=s, dtype=torch.float32).requires_grad_() for s in range(3)]
    compiled = torch.compile(loss, fullgraph=True, backend='eager')
    for count in (2, 3) if loss is info_nce else (3,):
        torch.testing.assert_close(compiled(*inputs[:count]), loss(*inputs[:count]))
    (grad,) = torch.autograd.grad(compiled(*inputs), inputs[0])
    torch.testing.assert_close(grad, torch.autograd.grad(loss(*inputs), inputs[0])[0])


def test_modules_are_the_weighted_functions():
    q, k, n = (vectors(3, 5, 4, seed=s) for s in range(3))
    torch.testing.assert_close(
        InfoNCELoss(0.5, loss_weight=2.0)(q[0], k[0], n[0]), 2 * info_nce(q[0], k[0], n[0], 0.5)
    )
    torch.testing.assert_close(
        PairedInfoNCELoss(0.5, 'triangular', 3.0)(q, k, n),
        3 * paired_info_nce(q, k, n, 0.5, 'triangular'),
    )


@pytest.mark.parametrize(
    ('call', 'message'),
    [
        (lambda x: info_nce(x, x[:2]), r'key must be \(N, C\) with N=4, C=3, got \(2, 3\)'),
        (lambda x: info_nce(x, x, x[:, :2]), r'negatives must be \(K, C\) .*got \(4, 2\)'),
        (lambda x: info_nce(x, x, x[:3, None]), r'negatives must be \(N, K, C\) .*\(3, 1, 3\)'),
        (lambda x: info_nce(x, x, temperature=0), 'temperature must be positive, got 0'),
        (lambda x: info_nce(x, x, temperature=float('nan')), 'temperature must be positive'),
        (lambda x: paired_info_nce(x[None], x[None], x[None]), r'two views, got \(1, 4, 3\)'),
        (lambda x: paired_info_nce(x, x, x), r'queries must be \(V, N, C\), got \(4, 3\)'),
        (lambda x: PairedInfoNCELoss(pairing='ring'), "cyclic, triangular; got 'ring'"),
        (lambda x: InfoNCELoss(temperature=-1), 'temperature must be positive, got -1'),
    ],
)
def test_wrong_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(torch.ones(4, 3))
