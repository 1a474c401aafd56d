"""t-SNE against its definition, and the purity of neighbours against counting."""

import pytest
import torch

from semcl_mm.analysis.tsne import _pull, affinities, neighbour_purity, tsne


def clusters(size=20, dim=12):
    generator = torch.Generator().manual_seed(0)
    centres = 4 * torch.randn(3, 1, dim, generator=generator)
    points = centres + torch.randn(3, size, dim, generator=generator)
    return points.flatten(0, 1), torch.arange(3).repeat_interleave(size)


def test_every_point_has_as_many_neighbours_as_the_perplexity_says():
    """Symmetrising hides it; for points on a regular polygon all neighbourhoods are alike."""
    angle = torch.arange(40) * (2 * torch.pi / 40)
    near = affinities(torch.stack([angle.cos(), angle.sin()], dim=1).double(), perplexity=7) * 40
    entropy = -(near * near.clamp_min(1e-30).log()).sum(dim=1)
    torch.testing.assert_close(entropy.exp(), torch.full((40,), 7.0).double(), rtol=1e-5, atol=0)


def test_affinities_are_a_symmetric_distribution_that_no_scale_changes():
    points, _ = clusters()
    near = affinities(points)
    assert torch.equal(near, near.T)
    assert near.sum() == pytest.approx(1)
    torch.testing.assert_close(affinities(1e3 * points), near, rtol=1e-3, atol=1e-7)


def test_the_pull_is_the_gradient_of_the_divergence():
    points, _ = clusters(5)
    near = affinities(points.double(), perplexity=4)
    plane = torch.randn(15, 2, dtype=torch.float64, requires_grad=True)
    student = 1 / (1 + (plane[:, None] - plane[None]).square().sum(dim=2))
    student = student * (1 - torch.eye(15))
    share = student / student.sum()
    pairs = near > 0
    (near[pairs] * (near[pairs] / share[pairs]).log()).sum().backward()
    torch.testing.assert_close(_pull(near, plane.detach()), plane.grad)


def test_clusters_stay_apart_on_the_plane_and_the_picture_is_the_same_each_time():
    points, labels = clusters()
    plane = tsne(points, perplexity=10, iterations=500)
    assert torch.equal(plane, tsne(points, perplexity=10, iterations=500))
    distance = torch.cdist(plane, plane)
    same = labels[:, None] == labels
    assert distance[same].max() < distance[~same].min()


def test_equal_points_are_no_obstacle():
    assert torch.isfinite(tsne(torch.ones(10, 3), perplexity=3, iterations=50)).all()


def test_purity_is_the_share_of_neighbours_of_the_class_with_classes_counted_equally():
    angle = torch.tensor([0.0, 0.1, 0.2, 1.5, 1.6, 1.9])
    points = torch.stack([angle.cos(), angle.sin()], dim=1) * torch.arange(1, 7)[:, None]
    labels = torch.tensor([0, 0, 0, 0, 1, 1])
    # nearest: 1, 0 (or 2), 1, 4, 3, 4
    assert neighbour_purity(points, labels, 1) == pytest.approx((3 / 4 + 1 / 2) / 2)


def test_too_few_points_are_named():
    with pytest.raises(ValueError, match='perplexity 30'):
        tsne(torch.randn(20, 3))
    with pytest.raises(ValueError, match='10 neighbours'):
        neighbour_purity(torch.randn(10, 3), torch.zeros(10))
