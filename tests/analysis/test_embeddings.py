"""The plane keeps clusters apart; the purity of neighbours against counting."""

import pytest
import torch

from semcl_mm.analysis.embeddings import class_cosines, neighbour_purity, tsne


def clusters(size=20, dim=12):
    generator = torch.Generator().manual_seed(0)
    centres = 4 * torch.randn(3, 1, dim, generator=generator)
    points = centres + torch.randn(3, size, dim, generator=generator)
    return points.flatten(0, 1), torch.arange(3).repeat_interleave(size)


def test_clusters_stay_apart_on_the_plane_and_the_picture_is_the_same_each_time():
    points, labels = clusters()
    plane = tsne(points, perplexity=10)
    assert torch.equal(plane, tsne(points, perplexity=10))
    distance = torch.cdist(plane, plane)
    same = labels[:, None] == labels
    assert distance[same].max() < distance[~same].min()


def test_purity_is_the_share_of_neighbours_of_the_class_with_classes_counted_equally():
    angle = torch.tensor([0.0, 0.1, 0.2, 1.5, 1.6, 1.9])
    points = torch.stack([angle.cos(), angle.sin()], dim=1) * torch.arange(1, 7)[:, None]
    labels = torch.tensor([0, 0, 0, 0, 1, 1])
    # nearest: 1, 0 (or 2), 1, 4, 3, 4
    assert neighbour_purity(points, labels, 1) == pytest.approx((3 / 4 + 1 / 2) / 2)


def test_cosines_are_means_over_pairs_of_different_points():
    points = torch.tensor([[2.0, 0.0], [0.0, 3.0], [-1.0, 0.0]])
    # one pair of a class (cosine 0), two of different classes (-1 and 0)
    assert class_cosines(points, torch.tensor([0, 0, 1])) == pytest.approx((0, -0.5))


def test_too_few_points_are_named():
    with pytest.raises(ValueError, match='perplexity 30'):
        tsne(torch.randn(20, 3))
    with pytest.raises(ValueError, match='10 neighbours'):
        neighbour_purity(torch.randn(10, 3), torch.zeros(10))
