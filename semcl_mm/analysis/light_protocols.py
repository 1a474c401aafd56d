"""What features are worth without training a network: nearest neighbours and a linear probe."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from .labelled_features import Bank, ImageFeatures
from .neighbours import nearest, vote
from .spread import collapse_metrics

__all__ = ['PROTOCOLS', 'Confusion', 'fit_linear_probe', 'judge', 'mean_average_precision']

PROTOCOLS = ('knn', 'linear')
Classifier = Callable[[Tensor], Tensor]


class Confusion:
    """Counts of (true class, predicted class) over pixels.

    Args:
        num_classes: K.
    """

    def __init__(self, num_classes: int) -> None:
        self.counts = torch.zeros(num_classes, num_classes, dtype=torch.long)

    def add(self, prediction: Tensor, labels: Tensor) -> None:
        """Counts an image's pixels; labels outside the classes are left out."""
        classes = len(self.counts)
        known = (labels >= 0) & (labels < classes)
        pairs = labels[known] * classes + prediction[known]
        self.counts += torch.bincount(pairs, minlength=classes**2).reshape(classes, classes)

    def mean_iou(self) -> float:
        """Mean over the classes that occur, in truth or prediction, in per cent (mmseg's mIoU)."""
        hit = self.counts.diagonal().double()
        union = self.counts.sum(dim=0) + self.counts.sum(dim=1) - hit
        return float((hit / union)[union > 0].mean() * 100) if union.any() else float('nan')


def fit_linear_probe(
    features: Tensor, shares: Tensor, weight_decay: float = 1e-4, steps: int = 100
) -> Classifier:
    """Softmax regression on fixed features, standardised channel by channel.

    The problem is strictly convex: full-batch L-BFGS from zero finds its one solution, and no
    random number, learning rate or earlier probe has a part in it.

    Args:
        features: (M, C).
        shares: (M, K) shares of the classes of each sample.
        weight_decay: Ridge penalty, ``weight_decay / 2 * |W|^2`` beside the mean cross-entropy.
        steps: At most so many iterations of L-BFGS.

    Returns:
        A function from features (N, C) to logits (N, K).
    """
    mean, std = features.mean(dim=0), features.std(dim=0, correction=0)
    scale = torch.where(std > 1e-6, 1 / std.clamp(min=1e-6), torch.zeros_like(std))
    inputs = (features - mean) * scale
    weight = features.new_zeros((features.shape[1], shares.shape[1])).requires_grad_()
    bias = features.new_zeros(shares.shape[1]).requires_grad_()
    optimiser = torch.optim.LBFGS([weight, bias], max_iter=steps, line_search_fn='strong_wolfe')

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = F.cross_entropy(inputs @ weight + bias, shares)
        loss = loss + weight_decay / 2 * (weight.square().sum() + bias.square().sum())
        loss.backward()
        return loss

    with torch.enable_grad(), torch.autocast(features.device.type, enabled=False):
        optimiser.step(closure)
    weight, bias = weight.detach(), bias.detach()
    return lambda queries: ((queries - mean) * scale) @ weight + bias


@torch.no_grad()
def judge(
    bank: Bank,
    images: Iterable[ImageFeatures],
    protocols: Sequence[str] = PROTOCOLS,
    neighbours: int = 20,
    temperature: float = 0.07,
) -> dict[str, float]:
    """Classify images and their pixels by the labelled features of others.

    A cell's class scores (votes of its nearest neighbours, or the probe's probabilities) are
    resized bilinearly to the image, and the best class of each pixel is compared with its label.

    Args:
        bank: Labelled features.
        images: What is classified, at least two.
        protocols: Of ``'knn'``, ``'linear'``.
        neighbours: k; all there are where the bank has fewer.
        temperature: Of the votes.

    Returns:
        For each protocol P, in per cent: ``P_mIoU`` of pixels; ``P_accuracy``, top-1 of the class
        with most pixels in an image, from pooled features; ``P_mAP``, mean average precision over
        classes of "is present in the image", from pooled features too. A number that is not defined
        (no class tells two images apart) is left out. Then
        :func:`~semcl_mm.analysis.spread.collapse_metrics` of the pooled features.

    Raises:
        ValueError: A protocol is unknown, or there are fewer than two images.
    """
    unknown = [name for name in protocols if name not in PROTOCOLS]
    if unknown or not protocols:
        raise ValueError(f'protocols must be of {PROTOCOLS}, got {tuple(protocols)}')
    present = (bank.pixels > 0).float()
    dominant = F.one_hot(bank.pixels.argmax(dim=1), bank.pixels.shape[1]).float()
    scorers = {name: _scorers(name, bank, neighbours, temperature) for name in protocols}
    confusions = {name: Confusion(bank.shares.shape[1]) for name in protocols}
    pooled, pixels = [], []
    for image in images:
        pooled.append(image.pooled)
        pixels.append(image.counts.sum(dim=0))
        for name, (by_cell, _) in scorers.items():
            scores = by_cell(bank.cells, bank.shares, image.cells)
            prediction = _painted(scores, image.size, tuple(image.labels.shape))
            confusions[name].add(prediction, image.labels)
    if len(pooled) < 2:
        raise ValueError(f'{len(pooled)} images are too few to judge features by')
    queries, counts = torch.stack(pooled), torch.stack(pixels)
    labelled = counts.sum(dim=1) > 0
    truth = counts.argmax(dim=1)
    metrics = {}
    for name, (_, by_image) in scorers.items():
        metrics[f'{name}_mIoU'] = confusions[name].mean_iou()
        best = by_image(bank.pooled, dominant, queries).argmax(dim=1).cpu()
        metrics[f'{name}_accuracy'] = float((best == truth)[labelled].double().mean() * 100)
        scores = by_image(bank.pooled, present / present.sum(dim=1, keepdim=True), queries)
        metrics[f'{name}_mAP'] = mean_average_precision(scores.cpu(), counts > 0)
    metrics = {name: value for name, value in metrics.items() if not math.isnan(value)}
    return {**metrics, **collapse_metrics(queries)}


def _scorers(name: str, bank: Bank, neighbours: int, temperature: float) -> tuple:
    """Functions (features, shares, queries) -> class scores, for cells and for images."""

    def by_neighbours(features: Tensor, shares: Tensor, queries: Tensor) -> Tensor:
        found = nearest(queries, features, min(neighbours, len(features)))
        return vote(*found, shares, temperature)

    def by_probe(features: Tensor, shares: Tensor, queries: Tensor) -> Tensor:
        return fit_linear_probe(features, shares)(queries).softmax(dim=1)

    if name == 'knn':
        return by_neighbours, by_neighbours
    probe = fit_linear_probe(bank.cells, bank.shares)  # once for all images
    return (lambda _features, _shares, queries: probe(queries).softmax(dim=1)), by_probe


def _painted(scores: Tensor, size: tuple[int, int], pixels: tuple[int, int]) -> Tensor:
    maps = scores.T.reshape(1, -1, *size)
    maps = F.interpolate(maps, size=pixels, mode='bilinear', align_corners=False)
    return maps.argmax(dim=1)[0].cpu()


def mean_average_precision(scores: Tensor, truth: Tensor) -> float:
    """Mean over classes of the average precision, in per cent.

    Classes that no image, or every image, shows say nothing and are left out.

    Args:
        scores: (N, K).
        truth: (N, K) bool.
    """
    from sklearn.metrics import average_precision_score  # takes a second to import

    telling = truth.any(dim=0) & ~truth.all(dim=0)
    if not telling.any():
        return float('nan')
    scores, truth = scores[:, telling].double().numpy(), truth[:, telling].numpy()
    return float(average_precision_score(truth, scores, average='macro') * 100)
