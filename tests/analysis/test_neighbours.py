"""Blocked nearest neighbours equal all similarities at once; collapse numbers have closed forms."""

import math

import pytest
import torch
import torch.nn.functional as F

from semcl_mm.analysis import neighbours as module
from semcl_mm.analysis.neighbours import nearest, vote
from semcl_mm.analysis.spread import collapse_metrics, effective_rank


@pytest.mark.parametrize('block', [1, 16, 100, 10**6])
@pytest.mark.parametrize('k', [1, 5, 37])
def test_blocks_of_any_size_find_what_a_full_sort_finds(block, k):
    """Features of few small integers: many cosines are equal, and the earlier row wins."""
    generator = torch.Generator().manual_seed(0)
    queries = torch.randint(-1, 2, (23, 3), generator=generator).float()
    bank = torch.randint(-1, 2, (37, 3), generator=generator).float()
    likeness = F.normalize(queries.double(), dim=1) @ F.normalize(bank.double(), dim=1).T
    # Rounded, since equal cosines differ in their last bit by the way they are computed.
    wanted = likeness.mul(1e6).round().sort(dim=1, descending=True, stable=True).indices[:, :k]
    similarity, index = nearest(queries, bank, k, block)
    torch.testing.assert_close(similarity.double(), likeness.gather(1, index), atol=1e-6, rtol=0)
    torch.testing.assert_close(
        likeness.gather(1, index), likeness.gather(1, wanted), atol=1e-6, rtol=0
    )


def test_of_equal_rows_the_first_are_nearest_and_signs_sort_as_numbers():
    collapsed = torch.ones(50, 4)
    for block in (1, 64, 10**6):
        index = nearest(collapsed[:3], collapsed, 7, block)[1]
        assert torch.equal(index, torch.arange(7).expand(3, 7))
    values = torch.tensor([-1.0, -0.5, -1e-30, -0.0, 0.0, 1e-30, 0.25, 1.0])
    keys = module._keys(values[None], start=5)
    similarity, row = module._similarities(keys.sort(dim=1).values)
    assert torch.equal(similarity[0], values.sort().values)
    assert row[0].tolist() == [5, 6, 7, 9, 8, 10, 11, 12]  # -0 and 0 are equal: first is nearer


def test_no_tensor_of_all_similarities_is_ever_made():
    from semcl_mm.analysis.measuring import PeakBytes

    queries, bank = torch.randn(2000, 8), torch.randn(3000, 8)
    with PeakBytes() as count:
        nearest(queries, bank, 5, block=10_000)
    assert count.largest < 2000 * 3000


def test_bad_numbers_of_neighbours_or_channels_are_errors():
    with pytest.raises(ValueError, match='the bank has 3'):
        nearest(torch.ones(2, 4), torch.ones(3, 4), 4)
    with pytest.raises(ValueError, match='do not fit'):
        nearest(torch.ones(2, 4), torch.ones(3, 5), 1)


def test_votes_are_weighted_means_of_the_neighbours_targets():
    similarity = torch.tensor([[0.9, 0.4], [0.2, 0.2]])
    index = torch.tensor([[2, 0], [1, 2]])
    targets = torch.tensor([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]])
    votes = vote(similarity, index, targets, temperature=0.5)
    weight = math.exp(1.8) / (math.exp(1.8) + math.exp(0.8))
    expected = torch.tensor([[1 - weight, weight], [0.25, 0.75]])
    torch.testing.assert_close(votes, expected)


def test_effective_rank_counts_equal_directions():
    corners = torch.cat([torch.eye(6), -torch.eye(6)]) * 3
    assert float(effective_rank(corners)) == pytest.approx(6)
    line = torch.linspace(-1, 1, 9)[:, None] * torch.tensor([[1.0, 2.0, 0.0]])
    assert float(effective_rank(line + 5)) == pytest.approx(1, abs=1e-4)
    assert float(effective_rank(torch.full((5, 3), 0.1))) == 0


def test_collapse_metrics_tell_a_sphere_from_a_point():
    torch.manual_seed(0)
    sphere = collapse_metrics(torch.randn(2000, 32))
    assert sphere['feature_std'] == pytest.approx(1, abs=0.02)
    assert sphere['mean_cosine'] == pytest.approx(0, abs=0.01)
    assert sphere['effective_rank'] > 31
    assert sphere['dead_channels'] == 0
    point = collapse_metrics(torch.tensor([[1.0, 2.0, 0.0]]).repeat(10, 1))
    assert point['feature_std'] == pytest.approx(0, abs=1e-6)
    assert point['mean_cosine'] == pytest.approx(1)
    assert (point['effective_rank'], point['dead_channels']) == (0, 1)
    with pytest.raises(ValueError, match='1 features'):
        collapse_metrics(torch.ones(1, 3))
