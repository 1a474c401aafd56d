"""Which keys an anchor meets: random, hardest or semi-hard ones (section 3.2 of pixel contrast)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from semcl_mm.losses.arguments import check_choice, check_positive
from semcl_mm.losses.pixel_sampling import reads_are_free

__all__ = ['KEY_SAMPLINGS', 'KeySampling', 'mean_of_blocks']

KEY_SAMPLINGS = ('random', 'hardest', 'semi-hard')
BAR_COLUMNS = 1024
"""Candidates, at least, that decide how hard the hardest fraction is."""


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

    def bar(
        self, logits: Tensor, largest: bool, bound: float = math.inf, most: int | None = None
    ) -> Tensor:
        """Return the logit (A, 1) from which on a candidate is among the hardest, or infinity.

        On the host, where ranking would be the largest cost, a thousand of many candidates, evenly
        spaced, decide; the fraction beyond the bar then varies by about a hundredth.

        Args:
            logits: (A, n).
            largest: As in :meth:`choose`.
            bound: What is as easy as this (not above ``-bound`` if ``largest``, else not below
                ``bound``) is no candidate.
            most: Candidates of the row that has most of them, n by default; the host takes every
                so many-th that about a thousand of these decide.
        """
        step = 1
        if reads_are_free(logits):
            step = max(1, (logits.shape[1] if most is None else most) // BAR_COLUMNS)
        few = logits[:, ::step].contiguous()
        candidates = (few > -bound if largest else few < bound).count_nonzero(dim=1)
        limit = self.available(candidates, few.shape[1])[:, None]
        count = max(1, math.ceil(few.shape[1] * self.share))
        hardest = few.topk(count, dim=1, largest=largest).values
        never = torch.inf if largest else -torch.inf
        return hardest.gather(1, (limit - 1).clamp_min(0)).masked_fill_(limit == 0, never)

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
        if reads_are_free(logits):
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


def mean_of_blocks(anchors: Tensor, block: Callable, size: int) -> Tensor:
    """Return the mean loss over the anchors that have a positive.

    Args:
        anchors: (A, ..., D).
        block: Takes ``size`` rows of ``anchors`` and their slice; returns for each anchor the loss,
            whether it has a positive, and the gradient of the loss.
        size: Rows at a time.
    """
    value, has_positive = _Blockwise.apply(anchors, block, size)
    return (value * has_positive).sum() / has_positive.sum().clamp_min(1)
