"""Embeddings on a plane: t-SNE, and a number that says what the eye should see.

Exact t-SNE (van der Maaten and Hinton, 2008): all pairs of points enter, which for the few thousand
points that a picture can show takes seconds, and needs no further library.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ['affinities', 'neighbour_purity', 'tsne']

EXAGGERATION, EXAGGERATED_SHARE = 12.0, 0.3
"""Attraction in the first part of the iterations, and how many these are."""
TINY = 1e-12


def affinities(points: Tensor, perplexity: float = 30.0) -> Tensor:
    """Return how near each pair of points is, (N, N), symmetric, sum 1, zero diagonal.

    Each point's Gaussian is as wide as gives it ``perplexity`` neighbours (two to the power of the
    entropy), found by bisection for all points at once.

    Args:
        points: (N, D), N >= 3.
        perplexity: In (1, N - 1).

    Raises:
        ValueError: If the perplexity does not fit the number of points.
    """
    number = len(points)
    if not 1 < perplexity < number - 1:
        raise ValueError(
            f'perplexity {perplexity} must lie between 1 and the number of points less 1, '
            f'{number - 1}'
        )
    distance = torch.cdist(points.double(), points.double()).square_()
    itself = torch.eye(number, dtype=torch.bool, device=points.device)
    off = distance[~itself].view(number, number - 1)
    off = off / off.mean().clamp_min(TINY)  # any scale of the points gives the same picture
    off = off - off.amin(dim=1, keepdim=True)  # nor does this change a softmax
    target = torch.tensor(perplexity, dtype=off.dtype).log()
    low, high = torch.full((number, 1), -20.0), torch.full((number, 1), 40.0)
    low, high = low.to(off), high.to(off)
    for _ in range(60):
        middle = (low + high) / 2  # logarithm of the precision
        near = (-off * middle.exp()).softmax(dim=1)
        entropy = -(near * near.clamp_min(TINY).log()).sum(dim=1, keepdim=True)
        too_wide = entropy > target
        low, high = torch.where(too_wide, middle, low), torch.where(too_wide, high, middle)
    full = torch.zeros_like(distance)
    full[~itself] = near.flatten()
    return ((full + full.T) / (2 * number)).to(points.dtype)


def _pull(near: Tensor, plane: Tensor) -> Tensor:
    """Return the gradient of KL(near || t-distribution of the plane's distances), (N, 2)."""
    length = plane.square().sum(dim=1)
    distance = (length[:, None] + length - 2 * plane @ plane.T).clamp_min_(0)
    student = distance.add_(1).reciprocal_()
    student.fill_diagonal_(0)
    weight = student * (near - student / student.sum())
    return 4 * (weight.sum(dim=1, keepdim=True) * plane - weight @ plane)


def tsne(points: Tensor, perplexity: float = 30.0, iterations: int = 750, seed: int = 0) -> Tensor:
    """Return a place on the plane for each point, (N, 2), so that neighbours stay neighbours.

    Starts from the two principal components (with a trace of noise that parts equal points), so
    that the picture of the same points is always the same.

    Args:
        points: (N, D), N >= 3; points that differ only in scale give the same picture.
        perplexity: About how many neighbours count, less than N - 1.
        iterations: Steps of gradient descent.
        seed: Of the noise.

    Raises:
        ValueError: If the perplexity does not fit the number of points.
    """
    near = affinities(points.float(), perplexity)
    centred = points.double() - points.double().mean(dim=0)
    _, _, vectors = torch.linalg.svd(centred, full_matrices=False)
    plane = centred @ (vectors[:2] * vectors[:2].sum(dim=1, keepdim=True).sign()).T
    plane = F.pad(plane, (0, 2 - plane.shape[1])).float()
    plane = plane * (1e-2 / plane.std().clamp_min(TINY))
    generator = torch.Generator().manual_seed(seed)
    plane += 1e-4 * torch.randn(plane.shape, generator=generator)
    speed, gain = torch.zeros_like(plane), torch.ones_like(plane)
    rate = max(len(points) / EXAGGERATION, 50.0)
    for step in range(iterations):
        early = step < iterations * EXAGGERATED_SHARE
        pull = _pull(near * EXAGGERATION if early else near, plane)
        turned = (pull > 0) == (speed > 0)
        gain = torch.where(turned, gain * 0.8, gain + 0.2).clamp_min_(0.01)
        speed = (0.5 if early else 0.8) * speed - rate * gain * pull
        plane = plane + speed
        plane -= plane.mean(dim=0)
    return plane


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
