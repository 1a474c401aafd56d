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
from typing import NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from semcl_mm.losses.arguments import check_choice, check_positive, check_shapes
from semcl_mm.losses.class_segments import product
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
        self,
        logits: Tensor,
        valid: Tensor,
        count: int,
        largest: bool,
        generator: torch.Generator | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Choose columns for each row.

        Args:
            logits: (A, n).
            valid: Bool, broadcast to (A, n).
            count: K.
            largest: Whether large logits are the hard ones (negatives) or small ones (positives).
            generator: Source of randomness.

        Returns:
            Distinct columns (A, k), k <= K, and which of them count, (A, k) bool.
        """
        if self.mode == 'random':
            return _random(valid.expand_as(logits), count, generator)
        if self.mode == 'hardest':
            return _hardest(logits, valid, count, largest)
        limit = self.available(valid.sum(dim=1, keepdim=True), logits.shape[1])
        width, in_order = math.ceil(logits.shape[1] * self.hard_fraction), True
        if logits.device.type == 'cpu':  # elsewhere reading the limit would wait for the device
            width = max(int(limit.max()), 1)
            in_order = not bool(((limit == width) | (limit == 0)).all())
        index, among = _hardest(logits, valid, width, largest, in_order)
        if in_order:
            among &= torch.arange(index.shape[1], device=index.device) < limit
        if index.shape[1] <= count:
            return index, among
        choice, among = _random(among, count, generator)
        return index.gather(1, choice), among


def _hardest(
    logits: Tensor, valid: Tensor, count: int, largest: bool = True, in_order: bool = False
) -> tuple[Tensor, Tensor]:
    """Return the ``count`` hardest valid columns of each row, and which of them are valid."""
    never = -torch.inf if largest else torch.inf
    hardness = logits.masked_fill(~valid, never)
    count = min(count, logits.shape[1])
    value, index = hardness.topk(count, dim=1, largest=largest, sorted=in_order)
    return index, value != never


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


class _Chosen(NamedTuple):
    """Keys chosen for each anchor."""

    logits: Tensor
    """(A, n) logits of the candidates."""
    index: Tensor
    """(A, k) chosen columns."""
    among: Tensor
    """(A, k) bool, which of them count."""

    def values(self, never: float) -> Tensor:
        """Return the chosen logits (A, k), ``never`` where one does not count."""
        return self.logits.gather(1, self.index).masked_fill_(~self.among, never)


def _terms(
    positives: _Chosen, negatives: _Chosen, wanted: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return Eq. 3 for each anchor, and its derivatives with respect to the chosen logits.

    Args:
        positives: Chosen positives.
        negatives: Chosen negatives.
        wanted: (A,) number of negatives that the chosen ones stand for; None: themselves.

    Returns:
        Loss (A,), whether there is a positive (A,), derivatives (A, k) for positives, negatives.
    """
    chosen = negatives.values(-torch.inf)
    total = chosen.logsumexp(dim=1, keepdim=True)
    share = chosen.sub_(total.masked_fill(total.isneginf(), 0)).exp_()
    if wanted is not None:
        ratio = wanted[:, None] / negatives.among.sum(dim=1, keepdim=True).clamp_min(1)
        total = total + ratio.clamp_min(1).log()
    margin = total - positives.values(torch.inf)  # softplus and sigmoid of -inf are zero
    number = positives.among.sum(dim=1, keepdim=True)
    value = F.softplus(margin).sum(dim=1) / number.squeeze(1).clamp_min(1)
    weight = margin.sigmoid_().div_(number.clamp_min(1))
    share.mul_(weight.sum(dim=1, keepdim=True))
    return value, number.squeeze(1) > 0, weight.neg_(), share


def _batched_product(left: Tensor, right: Tensor) -> Tensor:
    """Return ``left @ right.T`` for each of (B, n, D) and (B, m, D)."""
    if len(left) == 1:
        return product(left[0], right[0])[None]
    return torch.bmm(left, right.transpose(1, 2))


def _weighted_sum(keys: Tensor, index: Tensor, weight: Tensor) -> Tensor:
    """Return the sum over k of ``weight`` (A, k) times the keys (n, D) at ``index`` (A, k)."""
    if not index.shape[1]:
        return keys.new_zeros(len(index), keys.shape[1])
    return F.embedding_bag(index, keys, per_sample_weights=weight, mode='sum')


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
        logits = product(part / temperature, keys)
        counts = (labels >= 0) & (key_labels >= 0)
        same, other = counts & (labels == key_labels), counts & (labels != key_labels)
        near = sampling.choose(logits, same, sampling.positives, False, generator)
        far = sampling.choose(logits, other, sampling.negatives, True, generator)
        value, has_positive, *weights = _terms(_Chosen(logits, *near), _Chosen(logits, *far))
        index, weight = torch.cat([near[0], far[0]], dim=1), torch.cat(weights, dim=1)
        return value, has_positive, _weighted_sum(keys, index, weight) / temperature

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
            classes, (height, width) = present[rows], part.shape[:2]
            scaled, anchor = part / temperature, valid[rows].flatten()[:, None]

            def each_anchor(of_class: Tensor) -> Tensor:
                """Repeat (classes, n) bool for each anchor, none for a missing one."""
                return of_class.repeat_interleave(width, dim=0, output_size=len(anchor)) & anchor

            own, own_valid = memory.draw_per_class(
                sampling.pool(sampling.positives), generator, classes
            )
            own = own.to(part.dtype)
            logits = _batched_product(scaled, own).flatten(0, 1)
            near = sampling.choose(
                logits, each_anchor(own_valid), sampling.positives, False, generator
            )
            near_terms = _Chosen(logits, *near)
            logits = product(scaled.flatten(0, 1), pool)
            negative = (pool_labels != classes[:, None]) & (pool_labels >= 0)
            far = sampling.choose(
                logits, each_anchor(negative), sampling.negatives, True, generator
            )
            value, has_positive, near_weight, far_weight = _terms(
                near_terms, _Chosen(logits, *far), wanted[classes].repeat_interleave(width)
            )
            first = torch.arange(height, device=part.device).repeat_interleave(width) * own.shape[1]
            pull = _weighted_sum(own.flatten(0, 1), near[0] + first[:, None], near_weight)
            pull += _weighted_sum(pool, far[0], far_weight)
            shape = (height, width)
            return value.view(shape), has_positive.view(shape), pull.view(part.shape) / temperature

        width = sampling.pool(sampling.positives) + len(pool)
        size = max(1, BLOCK_ELEMENTS // (sizes['V'] * width))
        return _mean(*_Blockwise.apply(anchors, block, size))
