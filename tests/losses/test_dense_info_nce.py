"""Dense InfoNCE, matching and semantic weights against loops; the memory that streaming needs."""

import loss_oracles as oracle
import pytest
import torch
import torch.nn.functional as F
from loss_oracles import compare, vectors

from semcl_mm.analysis.measuring import PeakBytes
from semcl_mm.losses import (
    DenseInfoNCELoss,
    dense_info_nce,
    match_by_similarity,
    semantic_weights,
)


def problem(images=2, cells=3, others=4, channels=5, negatives=11, dtype=torch.float64):
    query = vectors(images, cells, channels, dtype=dtype)
    key = vectors(images, others, channels, seed=1, dtype=dtype)
    queue = vectors(negatives, channels, seed=2, dtype=dtype)
    match = torch.randint(others, (images, cells), generator=torch.Generator().manual_seed(3))
    return query, key, match, queue


@pytest.mark.parametrize('weighted', [False, True])
@pytest.mark.parametrize('temperature', [0.07, 0.2])
def test_dense_loss_equals_the_loop_over_cells(weighted, temperature):
    query, key, match, queue = problem()
    inputs = [query, key, queue] + ([vectors(2, 3, seed=4).abs()] if weighted else [])

    def run(function):
        return lambda q, k, n, w=None: function(q, k, match, n, temperature, w)

    compare(run(dense_info_nce), run(oracle.dense_info_nce), inputs)


@pytest.mark.parametrize('queue_type', [torch.float32, torch.bfloat16])
def test_a_long_queue_in_float32_is_exact_to_a_millionth(queue_type):
    """Against concatenate-and-softmax in float64, with the queue's stored values."""
    query, key, match, queue = problem(2, 7, 7, 128, 6000, torch.float32)
    queue = F.normalize(queue, dim=1).to(queue_type)
    q, k = query.double().requires_grad_(), key.double().requires_grad_()
    qn, kn, nn = (F.normalize(x, dim=-1) for x in (q, k, queue.double()))
    positive = (qn * kn.gather(1, match[..., None].expand(-1, -1, 128))).sum(-1, keepdim=True)
    logits = torch.cat([positive, qn @ nn.T], dim=-1).flatten(0, 1) / 0.2
    expected = F.cross_entropy(logits, torch.zeros(14, dtype=torch.long))
    expected.backward()

    query, key = query.requires_grad_(), key.requires_grad_()
    loss = dense_info_nce(query, key, match, queue)
    loss.backward()
    assert abs(loss.item() - expected.item()) <= 1e-6 * expected.item()
    assert (query.grad - q.grad).abs().max() <= 1e-6
    assert (key.grad - k.grad).abs().max() <= 1e-6


@pytest.mark.parametrize('queue_type', [torch.float32, torch.bfloat16])
def test_a_queue_of_65536_needs_at_most_20_mib_beside_it(queue_type):
    """8 images of 49 cells, 128 channels; concatenate-and-softmax makes several 98 MiB tensors."""
    query, key, match, queue = problem(8, 49, 49, 128, 65536, torch.float32)
    queue = F.normalize(queue, dim=1).to(queue_type)
    query, key = query.requires_grad_(), key.requires_grad_()
    with PeakBytes() as memory:
        dense_info_nce(query, key, match, queue).backward()
    assert 0 < memory.peak <= 20 * 2**20
    assert memory.largest < 8 * 49 * 65536


def test_cells_of_weight_zero_do_not_count_and_weights_have_no_unit():
    query, key, match, queue = problem()
    weights = vectors(2, 3, seed=4).abs()
    loss = dense_info_nce(query, key, match, queue, weights=weights)
    torch.testing.assert_close(
        loss, dense_info_nce(query, key, match, queue, weights=100 * weights)
    )
    first = torch.zeros(2, 3)
    first[0] = 1
    torch.testing.assert_close(
        dense_info_nce(query, key, match, queue, weights=first),
        dense_info_nce(query[:1], key[:1], match[:1], queue),
    )


def test_where_nothing_counts_the_loss_is_zero_and_keeps_its_graph():
    query, key, match, queue = problem()
    query.requires_grad_()
    for loss in (
        dense_info_nce(query, key, match, queue, weights=torch.zeros(2, 3)),
        dense_info_nce(query, key, match, queue[:0]),
        dense_info_nce(query[:0], key[:0], match[:0], queue),
    ):
        assert loss.item() == 0
        assert torch.autograd.grad(loss, query)[0].eq(0).all()


def test_gradcheck():
    query, key, match, queue = problem(1, 2, 2, 3, 4)
    weights = torch.tensor([[0.3, 1.2]], dtype=torch.float64)
    inputs = [x.requires_grad_() for x in (query, key, queue, weights)]

    def loss(q, k, n, w):
        return dense_info_nce(q, k, match, n, 0.2, w)

    assert torch.autograd.gradcheck(loss, inputs)


@pytest.mark.parametrize('lowered', [torch.bfloat16, torch.float16])
def test_autocast_changes_nothing(lowered):
    query, key, match, queue = problem(dtype=torch.float32)
    exact = dense_info_nce(query.to(lowered).float(), key, match, queue)
    with torch.autocast('cpu', dtype=lowered):
        loss = dense_info_nce(query.to(lowered), key, match, queue)
        similarity = match_by_similarity(query, key)[1]
    assert loss.dtype == similarity.dtype == torch.float32
    assert torch.equal(loss, exact)
    assert torch.equal(similarity, match_by_similarity(query, key)[1])


def test_each_cell_is_matched_with_its_greatest_cosine():
    query, key = vectors(3, 5, 4), vectors(3, 6, 4, seed=1)
    index, similarity = match_by_similarity(query, 10 * key)
    for n in range(3):
        for i in range(5):
            cosines = [oracle.cosine(query[n, i], other) for other in key[n]]
            assert index[n, i] == cosines.index(max(cosines))
            torch.testing.assert_close(similarity[n, i], max(cosines))


def test_a_permutation_of_the_cells_is_found():
    query = vectors(2, 6, 8)
    order = torch.stack([torch.randperm(6), torch.randperm(6)])
    key = query.gather(1, order[..., None].expand(2, 6, 8))
    index, similarity = match_by_similarity(query, key)
    assert torch.equal(order.gather(1, index), torch.arange(6).expand(2, 6))
    torch.testing.assert_close(similarity, torch.ones_like(similarity))


@pytest.mark.parametrize('power', [1.0, 2.0])
def test_semantic_weights_equal_the_loop_over_cells(power):
    similarity = vectors(4, 9).sigmoid()
    in_box = vectors(4, 9, seed=1) > 0
    got = semantic_weights(similarity, in_box, power)
    torch.testing.assert_close(got, oracle.semantic_weights(similarity, in_box, power))
    assert got[in_box].eq(1).all()
    assert got.min() >= 0
    assert got.max() <= 1


def test_equal_outside_similarities_give_zero_where_the_authors_code_gives_nan():
    similarity = torch.full((3, 4), 0.5, requires_grad=True)
    in_box = torch.tensor([[True] * 4, [False] * 4, [True, True, False, False]])
    weights = semantic_weights(similarity, in_box)
    assert torch.equal(weights, in_box.float())
    weights.sum().backward()
    assert similarity.grad.isfinite().all()
    alone = semantic_weights(torch.tensor([[0.1, 0.9]]), torch.tensor([[False, True]]))
    assert torch.equal(alone, torch.tensor([[0.0, 1.0]]))


def test_the_module_is_the_weighted_function():
    query, key, match, queue = problem()
    weights = torch.rand(2, 3)
    torch.testing.assert_close(
        DenseInfoNCELoss(0.5, loss_weight=0.5)(query, key, match, queue, weights),
        0.5 * dense_info_nce(query, key, match, queue, 0.5, weights),
    )


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (
            {'match': torch.zeros(2, 4).long()},
            r'match must be \(N, S\) with N=2, S=3, got',
        ),
        ({'match': torch.zeros(2, 3).int()}, 'match must hold int64 indices, got torch.int32'),
        ({'negatives': torch.zeros(11, 4)}, r'negatives must be \(K, C\) with C=5, got \(11, 4\)'),
        ({'weights': torch.zeros(3)}, r'weights must be \(N, S\)'),
        ({'temperature': 0.0}, 'temperature must be positive, got 0.0'),
    ],
)
def test_wrong_arguments_are_named(change, message):
    arguments = dict(zip(('query', 'key', 'match', 'negatives'), problem(), strict=True))
    with pytest.raises(ValueError, match=message):
        dense_info_nce(**{**arguments, **change})


def test_wrong_arguments_of_matching_and_weighting_are_named():
    with pytest.raises(ValueError, match=r'key_features must hold a cell, got \(2, 0, 3\)'):
        match_by_similarity(torch.ones(2, 2, 3), torch.ones(2, 0, 3))
    with pytest.raises(ValueError, match=r'in_box must be boolean, got torch.float32'):
        semantic_weights(torch.ones(2, 3), torch.ones(2, 3))
    with pytest.raises(ValueError, match='power must not be negative, got -1'):
        semantic_weights(torch.ones(2, 3), torch.ones(2, 3).bool(), -1)
