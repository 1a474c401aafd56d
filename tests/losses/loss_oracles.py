"""Slow references: the papers' equations as loops over scalars, as they are printed."""

import math

import torch
from torch import Tensor


def vectors(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    """Return standard normal numbers, drawn from their own generator."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=dtype)


def compare(loss, oracle, inputs: list[Tensor], tolerance: float = 1e-10) -> None:
    """Assert that value and gradients of two functions of ``inputs`` agree."""
    inputs = [x.detach().clone().requires_grad_() for x in inputs]
    value, expected = loss(*inputs), oracle(*inputs)
    assert value.shape == ()
    torch.testing.assert_close(value, expected, rtol=0, atol=tolerance)
    grads = torch.autograd.grad(value, inputs)
    for got, want in zip(grads, torch.autograd.grad(expected, inputs), strict=True):
        torch.testing.assert_close(got, want, rtol=0, atol=tolerance)


def cosine(a: Tensor, b: Tensor) -> Tensor:
    """Return the cosine of two vectors."""
    return (a / a.norm()) @ (b / b.norm())


def nce(positive: Tensor, negatives: list[Tensor]) -> Tensor:
    """Return -log(e^p / (e^p + sum e^n)) for logits."""
    return -(positive.exp() / (positive.exp() + sum(n.exp() for n in negatives))).log()


def info_nce(query, key, negatives=None, temperature=0.2):
    """SemCL Eq. 2 for each query; negatives as in the package's function."""
    terms = []
    for n in range(len(query)):
        if negatives is None:
            others = [key[m] for m in range(len(key)) if m != n]
        else:
            others = list(negatives[n] if negatives.ndim == 3 else negatives)
        logits = [cosine(query[n], other) / temperature for other in others]
        terms.append(nce(cosine(query[n], key[n]) / temperature, logits))
    return sum(terms) / len(terms)


def paired_info_nce(queries, positives, negatives, temperature=0.2, pairing='cyclic'):
    """SemCL Eq. 3: sums over t and j, own negatives, mean over samples."""
    views, samples = queries.shape[:2]
    if pairing == 'cyclic':
        pairs = [(t, (t + 1) % views) for t in range(views)]
    else:
        pairs = [(t, j) for t in range(views) for j in range(t + 1, views)]
    total = 0
    for t, j in pairs:
        for n in range(samples):
            logits = [cosine(queries[t, n], k[n]) / temperature for k in negatives]
            total = (
                total + nce(cosine(queries[t, n], positives[j, n]) / temperature, logits) / samples
            )
    return total


def dense_info_nce(query, key, match, negatives, temperature=0.2, weights=None):
    """PixCon: the weighted mean over all cells of the batch."""
    total, mass = 0, 0
    for n in range(query.shape[0]):
        for i in range(query.shape[1]):
            logits = [cosine(query[n, i], other) / temperature for other in negatives]
            positive = cosine(query[n, i], key[n, match[n, i]]) / temperature
            weight = 1 if weights is None else weights[n, i]
            total, mass = total + weight * nce(positive, logits), mass + weight
    return total / mass


def semantic_weights(similarity, in_box, power=2.0):
    """PixCon-SR: one inside; outside, min over all cells and max over outside cells."""
    weights = torch.ones_like(similarity)
    for n in range(similarity.shape[0]):
        lowest = min(similarity[n])
        outside = [s for s, inside in zip(similarity[n], in_box[n], strict=True) if not inside]
        for i in range(similarity.shape[1]):
            if not in_box[n, i]:
                weights[n, i] = ((similarity[n, i] - lowest) / (max(outside) - lowest)) ** power
    return weights


def cycle_attention(features, features_next, temperature=0.07, negatives=None, soft_target=None):
    """CACL Eq. 5-6 with the dense matrices, negatives as further columns of the jump back."""
    images, cells = features.shape[:2]
    total = 0
    for b in range(images):
        here = features[b] / features[b].norm(dim=1, keepdim=True)
        there = features_next[b] / features_next[b].norm(dim=1, keepdim=True)
        targets = here
        if negatives is not None:
            targets = torch.cat([here, negatives / negatives.norm(dim=1, keepdim=True)])
        forth = torch.softmax(here @ there.T / temperature, dim=1)
        back = torch.softmax(there @ targets.T / temperature, dim=1)
        cycle = forth @ back
        for i in range(cells):
            if soft_target is None:
                total = total - cycle[i, i].log()
                continue
            for m in range(cells):
                mass = soft_target[b, i, m]
                if mass > 0:
                    total = total + mass * (mass.log() - cycle[i, m].log())
    return total / (images * cells)


def local_to_global_info_nce(global_query, local_keys, temperature=0.1):
    """Eq. 2 over Eq. 1: negatives are all patches of the other images."""
    images, patches = local_keys.shape[:2]
    total = 0
    for b in range(images):
        logits = [
            cosine(global_query[b], local_keys[c, i]) / temperature
            for c in range(images)
            if c != b
            for i in range(patches)
        ]
        for i in range(patches):
            total = total + nce(cosine(global_query[b], local_keys[b, i]) / temperature, logits)
    return total / (images * patches)


def berhu(prediction, target, valid, threshold=0.2):
    """Laina et al. 2016, Eq. 2, pixel by pixel; c is a number."""
    errors = [
        abs(p - t)
        for p, t, v in zip(prediction.flatten(), target.flatten(), valid.flatten(), strict=True)
        if v
    ]
    c = threshold * max(float(e.detach()) for e in errors)
    terms = [e if float(e.detach()) <= c else (e**2 + c**2) / (2 * c) for e in errors]
    return sum(terms) / len(terms)


def silog(prediction, target, valid, variance_focus=0.85, root=True):
    """Eigen et al.'s Eq. 4 in its pairwise form: differences of log ratios, not of their mean."""
    pixels = [tuple(i) for i in valid.nonzero().tolist()]
    ratios = [prediction[i].log() - target[i].log() for i in pixels]
    n = len(ratios)
    pairs = sum((a - b).square() for a in ratios for b in ratios) / (2 * n * n)
    error = pairs + (1 - variance_focus) * (sum(ratios) / n).square()
    return error.sqrt() if root else error


def gradient_smoothness(depth, image=None):
    """Squared forward differences, each weighted by the image's own, mean over differences."""
    images, _, height, width = depth.shape
    total = 0
    for dy, dx in ((0, 1), (1, 0)):
        terms = []
        for n in range(images):
            for y in range(height - dy):
                for x in range(width - dx):
                    term = (depth[n, 0, y + dy, x + dx] - depth[n, 0, y, x]) ** 2
                    if image is not None:
                        edge = (image[n, :, y + dy, x + dx] - image[n, :, y, x]).abs().mean()
                        term = term * math.e ** (-edge)
                    terms.append(term)
        total = total + sum(terms) / len(terms)
    return total
