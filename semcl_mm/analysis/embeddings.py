"""Embeddings on a plane: t-SNE, and a number that says what the eye should see."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ['class_cosines', 'neighbour_purity', 'tsne']


def tsne(points: Tensor, perplexity: float = 30.0, seed: int = 0) -> Tensor:
    """Return a place on the plane for each point, (N, 2), so that neighbours stay neighbours.

    scikit-learn's t-SNE (van der Maaten and Hinton, 2008), started from the two principal
    components, so that the same points give the same picture.

    Args:
        points: (N, D), N >= 3.
        perplexity: About how many neighbours count, less than N.
        seed: Of what is random in the approximations.

    Raises:
        ValueError: If the perplexity does not fit the number of points.
    """
    if not 1 <= perplexity < len(points):
        raise ValueError(
            f'perplexity {perplexity} must be at least 1 and less than the number of points, '
            f'{len(points)}'
        )
    from sklearn.manifold import TSNE  # takes a second, which no other command should wait for

    method = TSNE(perplexity=perplexity, init='pca', random_state=seed, n_jobs=1)
    return torch.from_numpy(method.fit_transform(points.float().numpy()))


def neighbour_purity(points: Tensor, labels: Tensor, neighbours: int = 10) -> float:
    """Return the share of each point's nearest neighbours that are of its class.

    By cosine similarity, in the space of the points, not on the plane; every class counts equally.

    Args:
        points: (N, D), N > ``neighbours``.
        labels: (N,) integers.
        neighbours: k >= 1.

    Raises:
        ValueError: If there are too few points.
    """
    if not 1 <= neighbours < len(points):
        raise ValueError(f'{neighbours} neighbours need more than {len(points)} points')
    points = F.normalize(points.float(), dim=1)
    likeness = (points @ points.T).fill_diagonal_(-torch.inf)
    nearest = likeness.topk(neighbours, dim=1).indices
    share = (labels[nearest] == labels[:, None]).float().mean(dim=1)
    return float(torch.stack([share[labels == c].mean() for c in labels.unique()]).mean())


def class_cosines(points: Tensor, labels: Tensor) -> tuple[float, float]:
    """Return the mean cosine of two points of one class, and that of two points of different ones.

    Both near 1: the embeddings have collapsed, however tidy a picture of them may look.

    Args:
        points: (N, D).
        labels: (N,) integers, at least two points of one class and two classes; else NaN.
    """
    points = F.normalize(points.float(), dim=1)
    likeness = points @ points.T
    same = labels[:, None] == labels
    other = ~same
    same.fill_diagonal_(False)
    return float(likeness[same].mean()), float(likeness[other].mean())
