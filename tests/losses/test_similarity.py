"""The streamed log-sum-exp against the dense one, and the unit vectors."""

import pytest
import torch
import torch.nn.functional as F
from loss_oracles import vectors

from semcl_mm.losses import similarity
from semcl_mm.losses.similarity import normalise, streamed_logsumexp


@pytest.mark.parametrize('chunk', [1, 7, 64, None])
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_streaming_equals_the_dense_log_sum_exp_in_value_and_both_gradients(chunk, dtype):
    queries = F.normalize(vectors(9, 5, dtype=dtype), dim=-1).requires_grad_()
    bank = F.normalize(vectors(50, 5, seed=1, dtype=dtype), dim=-1).requires_grad_()
    weight = vectors(9, seed=2, dtype=dtype)
    tolerance = {'rtol': 0, 'atol': 1e-12 if dtype == torch.float64 else 3e-6}

    streamed = streamed_logsumexp(queries, bank, 10.0, chunk=chunk)
    grads = torch.autograd.grad((streamed * weight).sum(), (queries, bank))
    dense = torch.logsumexp(queries @ bank.T * 10.0, dim=1)
    expected = torch.autograd.grad((dense * weight).sum(), (queries, bank))

    torch.testing.assert_close(streamed, dense, **tolerance)
    for got, want in zip(grads, expected, strict=True):
        torch.testing.assert_close(got, want, rtol=0, atol=10 * tolerance['atol'])


@pytest.mark.parametrize('chunk', [3, 16, None])
def test_masks_and_labels_leave_out_what_a_dense_mask_would(chunk):
    queries, bank = vectors(6, 4).requires_grad_(), vectors(20, 4, seed=1).requires_grad_()
    query_labels, bank_labels = torch.arange(6) % 3, torch.arange(20) % 4 - 1
    mask = vectors(6, 20, seed=2) > -0.5
    keep = (bank_labels >= 0) & (bank_labels != query_labels[:, None]) & mask

    options = {'query_labels': query_labels, 'bank_labels': bank_labels, 'mask': mask}
    streamed = streamed_logsumexp(queries, bank, chunk=chunk, **options)
    grads = torch.autograd.grad(streamed.sum(), (queries, bank))
    dense = (queries @ bank.T).masked_fill(~keep, -torch.inf).logsumexp(dim=1)
    expected = torch.autograd.grad(dense.sum(), (queries, bank))

    torch.testing.assert_close(streamed, dense)
    torch.testing.assert_close(grads, expected)


def test_a_query_without_any_row_gets_minus_infinity_and_a_zero_gradient():
    queries, bank = vectors(2, 4).requires_grad_(), vectors(5, 4, seed=1).requires_grad_()
    mask = torch.tensor([[False] * 5, [True] * 5])
    value = streamed_logsumexp(queries, bank, mask=mask, chunk=2)
    F.softplus(value).sum().backward()
    assert value[0] == -torch.inf
    assert queries.grad[0].eq(0).all()
    assert queries.grad[1].abs().sum() > 0
    assert bank.grad.isfinite().all()

    nothing = streamed_logsumexp(queries, bank[:0])
    assert nothing.eq(-torch.inf).all()


def test_gradcheck_with_a_bank_that_is_normalised_on_the_way():
    queries, bank = vectors(4, 3).requires_grad_(), vectors(7, 3, seed=1).requires_grad_()

    def loss(q, b):
        return streamed_logsumexp(q, b, 3.0, chunk=3, normalise_bank=True)

    assert torch.autograd.gradcheck(loss, (queries, bank))
    assert torch.autograd.gradcheck(lambda q: loss(q, bank.detach()), (queries,))
    assert torch.autograd.gradcheck(lambda b: loss(queries.detach(), b), (bank,))


def test_a_half_precision_bank_counts_exactly_as_it_is_stored():
    queries = F.normalize(vectors(5, 8, dtype=torch.float32), dim=-1)
    bank = vectors(40, 8, seed=1).bfloat16()
    streamed = streamed_logsumexp(queries, bank, 5.0, normalise_bank=True, chunk=16)
    dense = torch.logsumexp(queries @ F.normalize(bank.float(), dim=-1).T * 5.0, dim=1)
    torch.testing.assert_close(streamed, dense, rtol=0, atol=2e-6)


def test_products_in_bfloat16_round_the_logits_and_nothing_else():
    queries = F.normalize(vectors(5, 8, dtype=torch.float32), dim=-1).requires_grad_()
    bank = F.normalize(vectors(40, 8, seed=1), dim=-1).bfloat16()
    exact, rough = (
        streamed_logsumexp(queries, bank, 5.0, chunk=16, normalise_bank=True, half_products=half)
        for half in (False, True)
    )
    torch.testing.assert_close(rough, exact, rtol=0, atol=0.02)
    expected, found = (torch.autograd.grad(x.sum(), queries)[0] for x in (exact, rough))
    torch.testing.assert_close(found, expected, rtol=0.02, atol=0.02)
    full = bank.float()
    assert torch.equal(
        streamed_logsumexp(queries, full, 5.0, half_products=True),
        streamed_logsumexp(queries, full, 5.0),
    )


def test_products_in_bfloat16_scale_the_bank_where_that_is_wanted():
    queries = F.normalize(vectors(5, 8, dtype=torch.float32), dim=-1)
    bank = (vectors(40, 8, seed=1) * 20).bfloat16()
    exact, rough = (
        streamed_logsumexp(queries, bank, 5.0, chunk=16, normalise_bank=True, half_products=half)
        for half in (False, True)
    )
    torch.testing.assert_close(rough, exact, rtol=0, atol=0.02)


@pytest.mark.parametrize(('queries', 'rows'), [(392, 65536), (784, 16384), (196, 4096), (9, 2000)])
def test_no_block_is_more_than_a_quarter_of_all_similarities(monkeypatch, queries, rows):
    sizes = []
    plain = similarity.product

    def watched(left, right):
        result = plain(left, right)
        sizes.append(len(left) * len(right))
        return result

    monkeypatch.setattr(similarity, 'product', watched)
    streamed_logsumexp(torch.zeros(queries, 2), torch.zeros(rows, 2))
    assert max(sizes) <= max(queries * rows / 4, 256 * queries)
    assert max(sizes) <= max(similarity.BLOCK_ELEMENTS, 256 * queries)


@pytest.mark.parametrize(
    ('queries', 'rows'), [(392, 65536), (6272, 65536), (950, 621_775), (8550, 3_250_000), (10, 100)]
)
def test_on_other_devices_blocks_are_larger_but_bounded(queries, rows):
    block = similarity._rows_of_a_block(queries, rows, on_cpu=False)
    most = similarity.DEVICE_FACTOR * similarity.BLOCK_ELEMENTS
    assert block * queries <= max(most, 256 * queries)
    assert block <= max(256, rows / similarity.DEVICE_FACTOR + 1)


@pytest.mark.parametrize('lowered', [torch.bfloat16, torch.float16])
def test_autocast_lowers_neither_the_value_nor_the_gradient(lowered):
    queries = vectors(5, 8, dtype=torch.float32).requires_grad_()
    bank = vectors(40, 8, seed=1, dtype=torch.float32).requires_grad_()
    plain = streamed_logsumexp(queries, bank, chunk=16)
    expected = torch.autograd.grad(plain.sum(), (queries, bank))
    with torch.autocast('cpu', dtype=lowered):
        under = streamed_logsumexp(queries, bank, chunk=16)
        grads = torch.autograd.grad(under.sum(), (queries, bank))
    assert torch.equal(plain, under)
    assert all(torch.equal(a, b) for a, b in zip(grads, expected, strict=True))


def test_huge_logits_stay_finite():
    queries = F.normalize(vectors(3, 4, dtype=torch.float32), dim=-1).requires_grad_()
    bank = torch.cat([queries.detach(), -queries.detach()])
    value = streamed_logsumexp(queries, bank, 1e6, chunk=1)
    value.sum().backward()
    torch.testing.assert_close(value, torch.full((3,), 1e6))
    assert queries.grad.isfinite().all()


def test_no_gradient_is_prepared_for_a_bank_that_does_not_ask():
    queries, bank = vectors(3, 4).requires_grad_(), vectors(6, 4, seed=1)
    value = streamed_logsumexp(queries, bank)
    saved = [t for t in value.grad_fn.saved_tensors if t is not None]
    assert [tuple(t.shape) for t in saved] == [(3, 4)]
    assert streamed_logsumexp(queries.detach(), bank).grad_fn is None


@pytest.mark.parametrize(
    ('arguments', 'options', 'message'),
    [
        ((torch.ones(2, 3), torch.ones(4, 5)), {}, r'\(2, 3\) and \(4, 5\)'),
        ((torch.ones(2, 3).half(), torch.ones(4, 3)), {}, 'float16'),
        ((torch.ones(2, 3), torch.ones(4, 3)), {'chunk': 0}, 'chunk'),
        ((torch.ones(2, 3), torch.ones(4, 3)), {'mask': torch.ones(3).bool()}, 'mask'),
        ((torch.ones(2, 3), torch.ones(4, 3)), {'query_labels': torch.ones(2)}, 'go together'),
        (
            (torch.ones(2, 3), torch.ones(4, 3)),
            {'query_labels': torch.ones(2), 'bank_labels': torch.ones(2)},
            r'bank_labels \(4,\)',
        ),
    ],
)
def test_wrong_arguments_are_named(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        streamed_logsumexp(*arguments, **options)


def test_unit_vectors_equal_the_library_and_zero_vectors_stay_finite_in_half_precision():
    x = vectors(4, 6)
    torch.testing.assert_close(normalise(x), F.normalize(x, dim=-1))
    assert normalise(x.bfloat16()).dtype == torch.float32
    x = torch.zeros(2, 6, dtype=torch.float16, requires_grad=True)
    unit = normalise(x)
    unit.sum().backward()
    assert unit.eq(0).all()
    assert x.grad.eq(0).all()
