"""Pixel contrast with keys chosen within a random subset of the memory.

A random subset of the hardest tenth of a memory is distributed like the hardest tenth of a random
subset of the memory. So a subset is drawn that is just large enough for its hardest tenth to be as
many as wanted, and anchors meet only this: the cost no longer grows with the memory.
"""

from __future__ import annotations

from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from semcl_mm.losses.arguments import check_positive, check_shapes
from semcl_mm.losses.key_sampling import KeySampling, mean_of_blocks
from semcl_mm.losses.pixel_sampling import reads_are_free
from semcl_mm.losses.similarity import full_precision, normalise, product

__all__ = ['DrawableMemory', 'pixel_contrast_drawn']

BLOCK_ELEMENTS = 1 << 22
"""Logits held at a time (16 MiB in float32)."""

_BEYOND = 4.0
"""A similarity that no unit vectors have; half of it, too, is none."""


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
    *,
    half_products: bool = False,
) -> Tensor:
    """Eq. 3 over keys that are chosen within a random subset of the memory.

    All anchors share one subset of negatives, without those of the anchor's own class; each class
    has one subset of positives. The size of the subsets, and so the cost, does not depend on the
    memory. The chosen negatives, which are about K, are weighted to count as K (as the number there
    would be, if fewer). With a memory small enough to be taken whole the result is that of
    :func:`~semcl_mm.losses.pixel_mining.pixel_contrast_mined`; but of more than two thousand
    candidates the CPU takes its bar from every n-th (:meth:`KeySampling.bar`), which chooses about
    a hundredth of them otherwise. The very hardest keys of a large memory are not found in this
    way: 'hardest' is refused.

    Args:
        anchors: (C, V, D), row c: anchors of class c; scaled to unit length here.
        valid: (C, V) bool, which of them exist.
        memory: For example a :class:`~semcl_mm.memory.RegionMemoryBank`.
        temperature: Positive.
        sampling: How keys are chosen; the paper's semi-hard 1024 / 2048 by default.
        generator: Source of randomness.
        half_products: Multiply by the keys of a bfloat16 memory in bfloat16; see
            :func:`~semcl_mm.losses.pixel_contrast.pixel_contrast`.

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
        labels = torch.arange(sizes['C'], device=anchors.device)[:, None].expand_as(valid)
        on_host = reads_are_free(anchors)
        if on_host:  # leave out what is empty
            present = valid.any(dim=1)
            anchors, valid, labels = anchors[present], valid[present], labels[present]
        if not anchors.numel():
            return anchors.sum() * 0
        draw = _Draw(memory, sizes['C'], 1 / temperature, sampling, generator, half_products)
        with torch.no_grad():
            rows = valid.flatten().nonzero().squeeze(1) if on_host else slice(None)
            total = anchors.new_full((valid.numel(),), -torch.inf)
            far = torch.zeros_like(anchors).flatten(0, 1)
            total[rows], far[rows] = draw.negatives(
                anchors.flatten(0, 1)[rows], labels.flatten()[rows]
            )
            total, far = total.view(valid.shape), far.view(anchors.shape)

        def block(part: Tensor, rows: slice) -> tuple[Tensor, Tensor, Tensor]:
            return draw.positives(part, valid[rows], labels[rows, 0], total[rows], far[rows])

        width = anchors.shape[1] * sampling.pool(sampling.positives)
        return mean_of_blocks(anchors, block, 1 if on_host else max(1, BLOCK_ELEMENTS // width))


class _Draw:
    """One draw of keys, and how anchors meet it; without gradients."""

    def __init__(
        self,
        memory: DrawableMemory,
        num_classes: int,
        scale: float,
        sampling: KeySampling,
        generator: torch.Generator | None,
        half: bool,
    ) -> None:
        self.memory, self.scale, self.generator = memory, scale, generator
        self.sampling, self.half = sampling, half
        # The own class takes 1 / C of a balanced memory; as many more are drawn.
        spare = num_classes / max(num_classes - 1, 1)
        samples = sampling.pool(sampling.negatives, spare)
        self.pool, self.pool_labels = memory.draw(samples, generator)
        self.classes = torch.arange(num_classes, device=self.pool.device)
        filled = memory.counts()
        self.wanted = sampling.available(filled.sum() - filled, sampling.negatives)

    def typed(self, keys: Tensor, anchors: Tensor) -> Tensor:
        """Return keys in the type in which products are made."""
        return keys if self.half and keys.dtype == torch.bfloat16 else keys.to(anchors.dtype)

    def negatives(self, anchors: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return the log-sum-exp over the hardest negatives (A,) and the mean that they pull at.

        Args:
            anchors: (A, D) unit vectors.
            labels: (A,) their classes.
        """
        pool = self.typed(self.pool, anchors)
        # What is no negative gets a logit that is smaller than any other by way of the product: one
        # column a class is cheaper than a mask of (A, n).
        barred = (self.pool_labels[:, None] == self.classes) | (self.pool_labels < 0)[:, None]
        keys = torch.cat([pool, barred.to(pool.dtype)], dim=1)
        own = (labels[:, None] == self.classes) * -_BEYOND
        queries = torch.cat([anchors, own], dim=1) * self.scale
        most = None
        if reads_are_free(pool):
            most = len(pool) - int(barred.count_nonzero(dim=0).min())
        size = max(1, BLOCK_ELEMENTS // len(pool))
        parts = [
            self._negatives(part, wanted, keys, pool, most)
            for part, wanted in zip(
                queries.split(size), self.wanted[labels].split(size), strict=True
            )
        ]
        total, far = (torch.cat(part) for part in zip(*parts, strict=True))
        return total, far

    def _negatives(
        self, queries: Tensor, wanted: Tensor, keys: Tensor, pool: Tensor, most: int | None
    ) -> tuple[Tensor, Tensor]:
        logits = product(queries, keys).to(queries.dtype)
        bar, logits, number = self._hardest(logits, most, largest=True)
        peak = logits.amax(dim=1)
        share, none = logits.softmax(dim=1), number == 0
        if not reads_are_free(none) or bool(none.any()):
            share.masked_fill_(none[:, None], 0)  # a softmax over nothing is NaN
        # The largest weight is one over the sum of exp(logits - peak).
        total = peak + bar - share.amax(dim=1).clamp_min(torch.finfo(share.dtype).tiny).log()
        total = total + (wanted.to(total.dtype) / number.clamp_min(1)).log()
        return total.masked_fill_(none, -torch.inf), product(share, pool.T).to(queries.dtype)

    def _hardest(
        self, logits: Tensor, most: int | None, largest: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Part off the hardest logits (A, n), in place.

        Only arithmetic on floats: masks of bools take several times as long on a CPU.

        Returns:
            The bar (A,); how much harder than it each is (A, n), minus infinity for what is left
            out; and how many (A,) are not.
        """
        bound = self.scale * _BEYOND / 2
        if self.sampling.share < 1:
            bar = self.sampling.bar(logits, largest, bound, most)
        else:
            bar = logits.new_full((len(logits), 1), -bound if largest else bound)
        beyond = logits.sub_(bar) if largest else logits.sub_(bar).neg_()
        F.threshold_(beyond, -torch.finfo(beyond.dtype).tiny, -torch.inf)
        number = beyond.shape[1] + beyond.clamp(-1, 0).sum(dim=1)
        return bar.squeeze(1), beyond, number

    def positives(
        self, anchors: Tensor, valid: Tensor, classes: Tensor, total: Tensor, far: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return Eq. 3 (C, V), whether there is a positive, and the gradient (C, V, D).

        Args:
            anchors: (C, V, D) unit vectors.
            valid: (C, V) bool, which of them exist.
            classes: (C,) their classes.
            total: (C, V) log-sum-exp over the negatives.
            far: (C, V, D) mean that the negatives pull at.
        """
        samples = self.sampling.pool(self.sampling.positives)
        own, filled = self.memory.draw_per_class(samples, self.generator, classes)
        own = self.typed(own, anchors)
        logits = _batched_product(anchors * self.scale, own).to(anchors.dtype)
        most = None
        if reads_are_free(filled):
            most = int(filled.count_nonzero(dim=1).max())
        if most is None or not bool(filled.all()):
            logits = torch.where(filled[:, None], logits, self.scale * _BEYOND)
        bar, beyond, number = (
            part.unflatten(0, valid.shape)
            for part in self._hardest(logits.flatten(0, 1), most, largest=False)
        )
        # Softplus and sigmoid of minus infinity are zero; without a candidate the bar is infinite.
        margin = beyond.add_((total - bar).where(number > 0, 0)[..., None])
        mean = valid / number.clamp_min(1)
        value = F.softplus(margin).sum(dim=2) * mean
        weight = margin.sigmoid_().mul_(mean[..., None])
        near = _batched_product(weight, own.transpose(1, 2)).to(anchors.dtype)
        pull = weight.sum(dim=2, keepdim=True) * far - near
        return value, valid & (number > 0), pull * self.scale


def _batched_product(left: Tensor, right: Tensor) -> Tensor:
    """Return ``left @ right.T`` for each of (B, n, D) and (B, m, D)."""
    if len(left) == 1:
        return product(left[0], right[0])[None]
    return torch.bmm(left.to(right.dtype), right.transpose(1, 2))
