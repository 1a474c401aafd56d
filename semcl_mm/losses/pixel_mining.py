"""Pixel contrast with sampled positives and negatives: random, hardest, semi-hard (section 3.2).

Two ways to the same loss. :func:`pixel_contrast_mined` ranks every key for every anchor, as the
paper describes it. :func:`pixel_contrast_drawn` first draws a random subset of the memory, just
large enough that its hardest tenth are as many as wanted, and ranks only these: a random subset of
the hardest tenth is distributed like the hardest tenth of a random subset, and the cost no longer
grows with the memory.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from semcl_mm.losses.arguments import check_choice, check_positive, check_shapes
from semcl_mm.losses.similarity import as_float, full_precision, normalise

__all__ = [
    'KEY_SAMPLINGS',
    'DrawableMemory',
    'KeySampling',
    'pixel_contrast_drawn',
    'pixel_contrast_mined',
]

KEY_SAMPLINGS = ('random', 'hardest', 'semi-hard')
BLOCK_ELEMENTS = 1 << 22
"""Logits held at a time (16 MiB in float32)."""


@dataclass(frozen=True)
class KeySampling:
    """How positives and negatives are chosen for each anchor.

    Args:
        mode: 'random': any; 'hardest': the least similar positives and the most similar negatives;
            'semi-hard': a random choice among the hardest ``hard_fraction`` of them.
        positives: K for positives, 1024 in the paper.
        negatives: K for negatives, 2048 in the paper.
        hard_fraction: In (0, 1], 0.1 in the paper.

    An anchor that has fewer gets all that there are (of the hardest fraction, at least one).
    """

    mode: str = 'semi-hard'
    positives: int = 1024
    negatives: int = 2048
    hard_fraction: float = 0.1

    def __post_init__(self) -> None:
        check_choice('mode', self.mode, KEY_SAMPLINGS)
        check_positive(positives=self.positives, negatives=self.negatives)
        if not 0 < self.hard_fraction <= 1:
            raise ValueError(f'hard_fraction must be in (0, 1], got {self.hard_fraction}')

    @property
    def share(self) -> float:
        """Share of the candidates that may be chosen."""
        return self.hard_fraction if self.mode == 'semi-hard' else 1.0

    def pool(self, count: int, spare: float = 1.0) -> int:
        """Return how many random keys to draw so that ``count`` of them can then be chosen."""
        return math.ceil(count / self.share * spare)

    def available(self, candidates: Tensor, count: int) -> Tensor:
        """Return how many are chosen of so many ``candidates``."""
        # In float64, less a little: 10 % of 30 are 3 and not 4.
        chosen = (candidates.double() * self.share - 1e-6).ceil().long()
        return chosen.clamp(max=count).maximum(candidates.clamp(max=1))

    def choose(
        self, hardness: Tensor, valid: Tensor, count: int, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Choose columns for each row.

        Args:
            hardness: (A, n), greater is harder.
            valid: (A, n) bool.
            count: K.
            generator: Source of randomness.

        Returns:
            Distinct columns (A, k), k <= K, and which of them count, (A, k) bool.
        """
        columns = hardness.shape[1]
        if self.mode == 'random':
            return _random(valid, count, generator)
        if self.mode == 'hardest':
            return _hardest(hardness, valid, count)
        limit = self.available(valid.sum(dim=1, keepdim=True), columns)
        index, among = _hardest(hardness, valid, math.ceil(columns * self.hard_fraction))
        among &= torch.arange(index.shape[1], device=index.device) < limit
        if index.shape[1] <= count:
            return index, among
        choice, among = _random(among, count, generator)
        return index.gather(1, choice), among


def _hardest(hardness: Tensor, valid: Tensor, count: int) -> tuple[Tensor, Tensor]:
    hardness = hardness.masked_fill(~valid, -torch.inf)
    value, index = hardness.topk(min(count, hardness.shape[1]), dim=1)
    return index, ~value.isneginf()


def _random(valid: Tensor, count: int, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
    chance = torch.rand(valid.shape, generator=generator, device=valid.device)
    return _hardest(chance, valid, count)


class _Blockwise(torch.autograd.Function):
    """Loss and gradient per anchor in one pass, for blocks of anchors; keys are constants."""

    @staticmethod
    def forward(ctx, anchors: Tensor, block: Callable, size: int) -> tuple[Tensor, Tensor]:
        parts = [
            block(anchors[start : start + size], slice(start, start + size))
            for start in range(0, len(anchors), size)
        ]
        value, has_positive, pull = (torch.cat(part) for part in zip(*parts, strict=True))
        ctx.save_for_backward(pull)
        ctx.mark_non_differentiable(has_positive)
        return value, has_positive

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor, _):
        (pull,) = ctx.saved_tensors
        return grad[..., None] * pull, None, None


def _terms(
    positives: tuple[Tensor, Tensor, Tensor],
    negatives: tuple[Tensor, Tensor, Tensor],
    wanted: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return Eq. 3 for each anchor, and its derivatives with respect to all logits.

    Args:
        positives: Logits (A, n), chosen columns (A, k) and which of them count (A, k).
        negatives: The same for the negatives.
        wanted: (A,) number of negatives that the chosen ones stand for; None: themselves.

    Returns:
        Loss (A,), whether there is a positive (A,), derivatives (A, n) for positives, negatives.
    """
    (logits, index, among), (other, other_index, other_among) = positives, negatives
    chosen = other.gather(1, other_index).masked_fill_(~other_among, -torch.inf)
    total = chosen.logsumexp(dim=1, keepdim=True)
    share = (chosen - total.masked_fill(total.isneginf(), 0)).exp_()
    if wanted is not None:
        ratio = wanted[:, None] / other_among.sum(dim=1, keepdim=True).clamp_min(1)
        total = total + ratio.clamp_min(1).log()
    margin = total - logits.gather(1, index)
    mean = among / among.sum(dim=1, keepdim=True).clamp_min(1)
    weight = margin.sigmoid() * mean
    share.mul_(weight.sum(dim=1, keepdim=True))
    return (
        (F.softplus(margin) * mean).sum(dim=1),
        among.any(dim=1),
        torch.zeros_like(logits).scatter_(1, index, -weight),
        torch.zeros_like(other).scatter_(1, other_index, share),
    )


def _mean(value: Tensor, has_positive: Tensor) -> Tensor:
    return (value * has_positive).sum() / has_positive.sum().clamp_min(1)


def pixel_contrast_mined(
    anchors: Tensor,
    anchor_labels: Tensor,
    keys: Tensor,
    key_labels: Tensor,
    temperature: float = 0.1,
    sampling: KeySampling | None = None,
    generator: torch.Generator | None = None,
    *,
    normalise_keys: bool = True,
) -> Tensor:
    """Eq. 3 over positives and negatives that are chosen among *all* keys, anchor by anchor.

    Keys are constants here: they receive no gradient. Anchors are visited in blocks, so that no
    (A, M) tensor is made; the time still grows with M.

    Args:
        anchors: (A, D), of any length; scaled to unit length here.
        anchor_labels: (A,) integers, negative: does not count.
        keys: (M, D), scaled to unit length here.
        key_labels: (M,) integers, negative: neither positive nor negative.
        temperature: Positive.
        sampling: How keys are chosen; the paper's semi-hard 1024 / 2048 by default.
        generator: Source of randomness.
        normalise_keys: False where the keys are known to be unit vectors of the anchors' type,
            which saves a copy of them.

    Returns:
        Scalar, the mean over anchors with a positive; zero (with its graph) without one.

    Raises:
        ValueError: For shapes that do not fit or a temperature that is not positive.
    """
    sampling = sampling or KeySampling()
    check_positive(temperature=temperature)
    check_shapes(
        anchors=(anchors, 'A D'),
        anchor_labels=(anchor_labels, 'A'),
        keys=(keys, 'M D'),
        key_labels=(key_labels, 'M'),
    )
    keys = keys.detach().to(as_float(anchors).dtype)
    if normalise_keys:
        keys = normalise(keys)

    def block(part: Tensor, rows: slice) -> tuple[Tensor, Tensor, Tensor]:
        labels = anchor_labels[rows, None]
        logits = part @ keys.T / temperature
        counts = (labels >= 0) & (key_labels >= 0)
        same, other = counts & (labels == key_labels), counts & (labels != key_labels)
        value, has_positive, near, far = _terms(
            (logits, *sampling.choose(-logits, same, sampling.positives, generator)),
            (logits, *sampling.choose(logits, other, sampling.negatives, generator)),
        )
        return value, has_positive, near.add_(far) @ keys / temperature

    with full_precision(anchors):
        anchors = normalise(anchors)
        if not len(anchors) or not len(keys):
            return anchors.sum() * 0
        size = max(1, BLOCK_ELEMENTS // len(keys))
        return _mean(*_Blockwise.apply(anchors, block, size))


class DrawableMemory(Protocol):
    """What :func:`pixel_contrast_drawn` asks of a memory: random filled slots (unit vectors)."""

    def counts(self) -> Tensor:
        """Return the number of filled slots per class, (C,)."""

    def draw(self, samples: int, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        """Return embeddings (n, D) and labels (n,), -1 where there is none."""

    def draw_per_class(
        self, samples: int, generator: torch.Generator | None, classes: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return embeddings (K, n, D) of the classes (K,), and which of them exist, (K, n)."""


def pixel_contrast_drawn(
    anchors: Tensor,
    valid: Tensor,
    memory: DrawableMemory,
    temperature: float = 0.1,
    sampling: KeySampling | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Eq. 3 over keys that are chosen within a random subset of the memory.

    All anchors share one subset of negatives; its members of the anchor's own class are left out,
    and where fewer than K can be chosen for that reason, they are weighted up to K. Each class has
    one subset of positives. The size of the subsets, and so the cost, does not depend on the
    memory. With a memory no larger than them the result is that of :func:`pixel_contrast_mined`.
    The very hardest keys of a large memory are not found in this way: 'hardest' is refused.

    Args:
        anchors: (C, V, D), row c: anchors of class c; scaled to unit length here.
        valid: (C, V) bool, which of them exist.
        memory: For example a :class:`~semcl_mm.memory.RegionMemoryBank`.
        temperature: Positive.
        sampling: How keys are chosen; the paper's semi-hard 1024 / 2048 by default.
        generator: Source of randomness.

    Returns:
        Scalar, the mean over anchors with a positive; zero (with its graph) without one.

    Raises:
        ValueError: For shapes that do not fit, a temperature that is not positive, or 'hardest'.
    """
    sampling = sampling or KeySampling()
    if sampling.mode == 'hardest':
        raise ValueError("mode 'hardest' needs the whole memory: use pixel_contrast_mined")
    check_positive(temperature=temperature)
    sizes = check_shapes(anchors=(anchors, 'C V D'), valid=(valid, 'C V'))
    with full_precision(anchors):
        anchors = normalise(anchors)
        present = torch.arange(sizes['C'], device=anchors.device)
        if anchors.device.type == 'cpu' and not torch.compiler.is_compiling():
            present = present[valid.any(dim=1)]  # costs a synchronisation elsewhere
            anchors, valid = anchors[present], valid[present]
        if not anchors.numel():
            return anchors.sum() * 0
        # The own class takes 1 / C of a balanced memory; as many more are drawn.
        spare = sizes['C'] / max(sizes['C'] - 1, 1)
        pool, pool_labels = memory.draw(sampling.pool(sampling.negatives, spare), generator)
        pool = pool.to(anchors.dtype)
        filled = memory.counts()
        wanted = sampling.available(filled.sum() - filled, sampling.negatives)

        def block(part: Tensor, rows: slice) -> tuple[Tensor, Tensor, Tensor]:
            classes, shape = present[rows], part.shape[:2]
            own, own_valid = memory.draw_per_class(
                sampling.pool(sampling.positives), generator, classes
            )
            own = own.to(part.dtype)
            near = (torch.bmm(part, own.transpose(1, 2)) / temperature).flatten(0, 1)
            far = (part @ pool.T / temperature).flatten(0, 1)
            anchor = valid[rows].flatten()[:, None]
            positive = own_valid[:, None].expand(*shape, -1).flatten(0, 1) & anchor
            negative = (pool_labels != classes[:, None]) & (pool_labels >= 0)
            negative = negative[:, None].expand(*shape, -1).flatten(0, 1) & anchor
            value, has_positive, pull_near, pull_far = _terms(
                (near, *sampling.choose(-near, positive, sampling.positives, generator)),
                (far, *sampling.choose(far, negative, sampling.negatives, generator)),
                wanted[classes].repeat_interleave(shape[1]),
            )
            pull = torch.bmm(pull_near.view(*shape, -1), own) + pull_far.view(*shape, -1) @ pool
            return value.view(shape), has_positive.view(shape), pull / temperature

        width = sampling.pool(sampling.positives) + len(pool)
        size = max(1, BLOCK_ELEMENTS // (sizes['V'] * width))
        return _mean(*_Blockwise.apply(anchors, block, size))
