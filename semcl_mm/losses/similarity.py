"""What every loss here shares: unit vectors and a log-sum-exp over a long bank.

The log-sum-exp of ``N`` queries over ``K`` bank rows is streamed: the bank is visited in blocks, a
running maximum and a running sum are kept (the online softmax of Milakov and Gimelshein, 2018), and
no ``(N, K)`` tensor ever exists. Its gradient with respect to a query is a softmax-weighted mean of
bank rows, i.e. attention output with keys = values = bank, so it is accumulated in the same pass:
two matrix products per block, the least that value and gradient need. Where PyTorch's own fused
attention is the faster way to the same two tensors (bfloat16 products on a CPU), it is called.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

__all__ = [
    'as_float',
    'full_precision',
    'normalise',
    'product',
    'streamed_logsumexp',
]

EPS = 1e-12
"""Vectors shorter than this have no direction: they become zero and receive no gradient."""

BLOCK_ELEMENTS = 1 << 20
"""Similarities per block on the CPU, of which two copies are held at a time (8 MiB in float32)."""

DEVICE_FACTOR = 16
"""How much larger a block may be on other devices, where its dozen kernel launches cost most; but
no block holds more than one of so many parts of a bank."""


def full_precision(x: Tensor) -> torch.autocast:
    """Return a context in which autocast does not lower the precision of operations on ``x``."""
    return torch.autocast(device_type=x.device.type, enabled=False)


def as_float(x: Tensor) -> Tensor:
    """Return ``x`` in float64 if it is, in float32 otherwise."""
    return x if x.dtype == torch.float64 else x.float()


def normalise(x: Tensor) -> Tensor:
    """Scale the last dimension to unit L2 length, in float32 (float64 for float64 input).

    A vector no longer than ``EPS`` has no direction. It becomes zero and receives a zero gradient,
    whereas ``torch.nn.functional.normalize`` would multiply the gradient by ``1 / EPS``, which is
    infinite once it is cast back to float16.

    Args:
        x: Vectors (..., C) of any floating point type.

    Returns:
        Unit vectors (..., C), float32 or float64.
    """
    x = as_float(x)
    length = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    return x * torch.where(length > EPS, length.clamp_min(EPS).reciprocal(), 0.0)


def product(left: Tensor, right: Tensor) -> Tensor:
    """Return ``left @ right.T`` for (A, C) and (B, C) in the type of ``right``, by a fast kernel.

    On x86 CPUs that are not Intel's, BLAS (MKL) reaches less than half of what oneDNN does in
    float32; the operator below is how ``torch.compile`` calls oneDNN. Same result up to rounding.
    A CPU without bfloat16 instructions is many times slower in bfloat16: it multiplies in float32.
    """
    if right.device.type != 'cpu' or torch.compiler.is_compiling():
        return left.to(right.dtype) @ right.T
    if right.dtype == torch.bfloat16 and not _MULTIPLIES_BFLOAT16:
        right = right.float()
    left = left.to(right.dtype)
    if _HAS_ONEDNN_LINEAR and right.dtype in (torch.float32, torch.bfloat16):
        return torch.ops.mkldnn._linear_pointwise(left, right, None, 'none', [], '')
    return left @ right.T


_HAS_ONEDNN_LINEAR = torch.backends.mkldnn.is_available() and hasattr(
    torch.ops.mkldnn, '_linear_pointwise'
)
_MULTIPLIES_BFLOAT16 = (
    torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()
)
_HAS_ATTENTION = hasattr(torch.ops.aten, '_scaled_dot_product_flash_attention_for_cpu')
"""The kernel is how torch.nn.functional.scaled_dot_product_attention runs on a CPU; called by its
own name it also returns the log-sum-exp."""


class _Blocks:
    """How the bank is cut, and what is left out of the sum; no tensor of (N, K) is made."""

    def __init__(
        self,
        size: int,
        unit: bool,
        mask: Tensor | None,
        query_labels: Tensor | None,
        bank_labels: Tensor | None,
        half: bool = False,
    ) -> None:
        self.size, self.unit, self.mask, self.half = size, unit, mask, half
        self.query_labels, self.bank_labels = query_labels, bank_labels
        # Inside a Function's forward grad mode is always off; here it is still the caller's.
        self.train = torch.is_grad_enabled()

    def are_plain_attention(self, bank: Tensor) -> bool:
        """Return whether one call of a fused kernel does the same, and faster."""
        whole = self.mask is None and self.bank_labels is None and not self.unit and len(bank) > 0
        typed = self.half and bank.dtype == torch.bfloat16 and _MULTIPLIES_BFLOAT16
        return whole and typed and bank.device.type == 'cpu' and _HAS_ATTENTION

    def rows(self, bank: Tensor, start: int, dtype: torch.dtype) -> Tensor:
        """Return bank rows (<= size, C) from ``start`` on, in the type that products have."""
        rows = bank[start : start + self.size]
        kept = rows.dtype if self.half and rows.dtype == torch.bfloat16 else dtype
        return (normalise(rows.to(dtype)) if self.unit else rows).to(kept)

    def logits(self, scaled_queries: Tensor, rows: Tensor, start: int) -> Tensor:
        """Return similarities (N, <= size), minus infinity where a pair does not count."""
        logits = product(scaled_queries, rows).to(scaled_queries.dtype)
        stop = start + len(rows)
        if self.mask is not None:
            logits.masked_fill_(~self.mask[..., start:stop], -torch.inf)
        if self.bank_labels is not None:
            labels = self.bank_labels[start:stop]
            left_out = (labels == self.query_labels[:, None]) | (labels < 0)
            logits.masked_fill_(left_out, -torch.inf)
        return logits

    def softmax(self, logits: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return each row's maximum, its sum of exp(logits - maximum) and its softmax.

        One fused softmax is faster than subtracting, exponentiating and adding up; the sum is one
        over the largest weight, because the largest exponential is exp(0).
        """
        peak, weights = logits.amax(dim=1), logits.softmax(dim=1)
        if self.mask is not None or self.bank_labels is not None:
            weights.masked_fill_(peak.isneginf()[:, None], 0.0)  # a softmax over nothing is NaN
        total = weights.amax(dim=1).clamp_min_(torch.finfo(weights.dtype).tiny).reciprocal_()
        return peak, total, weights


class _StreamedLogSumExp(torch.autograd.Function):
    """Online softmax over blocks of the bank; the queries' gradient is made in the same pass."""

    @staticmethod
    def forward(ctx, queries: Tensor, bank: Tensor, scale: float, blocks: _Blocks) -> Tensor:
        wants_queries, wants_bank = (wanted and blocks.train for wanted in ctx.needs_input_grad[:2])
        if not wants_bank and blocks.are_plain_attention(bank):
            value, mean = _attention(queries, bank, scale)
            ctx.save_for_backward(mean.mul_(scale) if wants_queries else None)
            return value
        scaled = queries * scale
        peak = queries.new_full((len(queries),), -torch.inf)
        total = torch.zeros_like(peak)
        pull = torch.zeros_like(queries) if wants_queries else None
        for start in range(0, len(bank), blocks.size):
            rows = blocks.rows(bank, start, queries.dtype)
            block_peak, block_total, weights = blocks.softmax(blocks.logits(scaled, rows, start))
            new_peak = torch.maximum(peak, block_peak)
            # A query for which nothing has counted so far keeps a peak of -inf; exp(-inf - 0) = 0.
            shift = torch.where(new_peak.isneginf(), 0.0, new_peak)
            keep, join = torch.exp(peak - shift), torch.exp(block_peak - shift).mul_(block_total)
            peak, total = new_peak, total * keep + join
            if pull is not None:
                block_pull = product(weights, rows.T).to(pull.dtype)
                pull.mul_(keep[:, None]).addcmul_(block_pull, join[:, None])
            del weights, rows  # before the next block is made, not after
        value = peak + total.log()
        if pull is not None:
            pull.mul_(scale).div_(total.clamp_min(torch.finfo(total.dtype).tiny)[:, None])
        ctx.scale, ctx.blocks = scale, blocks
        ctx.save_for_backward(pull, *((queries, bank, value) if wants_bank else ()))
        return value

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor):
        with full_precision(grad):
            pull, *recompute = ctx.saved_tensors
            grad_queries = None if pull is None else grad[:, None] * pull
            grad_bank = None
            if recompute:
                grad_bank = _bank_gradient(grad, *recompute, ctx.scale, ctx.blocks)
            return grad_queries, grad_bank, None, None


def _attention(queries: Tensor, bank: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    """Return the log-sum-exp (N,) and the softmax-weighted mean (N, C) of the bank's rows."""
    rows = bank[None, None]
    mean, value = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
        queries.to(bank.dtype)[None, None], rows, rows, scale=scale
    )
    return value.flatten().to(queries.dtype), mean[0, 0].to(queries.dtype)


def _bank_gradient(
    grad: Tensor, queries: Tensor, bank: Tensor, value: Tensor, scale: float, blocks: _Blocks
) -> Tensor:
    """Return the bank's gradient (K, C) = scale * softmax(logits).T @ (grad * queries)."""
    scaled = queries * scale
    shift = torch.where(value.isneginf(), 0.0, value)
    pushed = (scaled * grad[:, None]).T
    result = torch.empty_like(bank)
    for start in range(0, len(bank), blocks.size):
        rows = blocks.rows(bank, start, queries.dtype)
        weights = blocks.logits(scaled, rows, start).sub_(shift[:, None]).exp_()
        result[start : start + blocks.size] = product(weights.T, pushed)
    return result


def streamed_logsumexp(
    queries: Tensor,
    bank: Tensor,
    scale: float = 1.0,
    *,
    chunk: int | None = None,
    normalise_bank: bool = False,
    mask: Tensor | None = None,
    query_labels: Tensor | None = None,
    bank_labels: Tensor | None = None,
    half_products: bool = False,
) -> Tensor:
    r"""Return :math:`\log \sum_k \exp(s\, q_n \cdot b_k)` for each query without an (N, K) tensor.

    Differentiable once, in the queries and, if it requires a gradient, in the bank. Extra memory is
    two blocks of similarities and a (N, C) tensor. A float16 or bfloat16 bank stays as it is; each
    block is raised to the queries' type, so that the value is exact for the bank as stored.

    Args:
        queries: (N, C), float32 or float64.
        bank: (K, C), any floating point type.
        scale: Factor on the inner products, usually 1 / temperature.
        chunk: Bank rows per block; by default so many that a block holds ``BLOCK_ELEMENTS``
            similarities and at most a quarter of the bank, on other devices than the CPU
            ``DEVICE_FACTOR`` times as many and at most that part of the bank. Never fewer than 256.
        normalise_bank: Scale each bank row to unit length on the way (see :func:`normalise`).
        mask: Boolean, (K,) or (N, K); False leaves a row out of the sum.
        query_labels: (N,) integers, together with ``bank_labels``.
        bank_labels: (K,) integers; a row counts for a query only where its label is not negative
            and differs from the query's.
        half_products: Multiply by a bfloat16 bank in bfloat16, for speed: logits and the mean of
            rows that is the gradient are rounded to three digits. Fastest without
            ``normalise_bank``. No effect on other banks; a CPU without bfloat16 instructions
            multiplies in float32.

    Returns:
        (N,) in the queries' type; minus infinity, with a zero gradient, where nothing counts.

    Raises:
        ValueError: For shapes that do not fit, or labels of one side only.
    """
    _check_streamed(queries, bank, mask, query_labels, bank_labels)
    if chunk is None:
        chunk = _rows_of_a_block(len(queries), len(bank), queries.device.type == 'cpu')
    elif chunk < 1:
        raise ValueError(f'chunk must be at least 1, got {chunk}')
    with full_precision(queries):
        if normalise_bank and bank.requires_grad:
            bank, normalise_bank = normalise(bank), False  # autograd differentiates it
        blocks = _Blocks(chunk, normalise_bank, mask, query_labels, bank_labels, half_products)
        return _StreamedLogSumExp.apply(queries, bank, scale, blocks)


def _rows_of_a_block(queries: int, rows: int, on_cpu: bool) -> int:
    factor, parts = (1, 4) if on_cpu else (DEVICE_FACTOR, DEVICE_FACTOR)
    return max(256, min(factor * BLOCK_ELEMENTS // max(queries, 1), -(-rows // parts)))


def _check_streamed(
    queries: Tensor,
    bank: Tensor,
    mask: Tensor | None,
    query_labels: Tensor | None,
    bank_labels: Tensor | None,
) -> None:
    shape, bank_shape = tuple(queries.shape), tuple(bank.shape)
    if len(shape) != 2 or len(bank_shape) != 2 or shape[1] != bank_shape[1]:
        raise ValueError(f'queries must be (N, C) and bank (K, C), got {shape} and {bank_shape}')
    if queries.dtype not in (torch.float32, torch.float64):
        raise ValueError(f'queries must be float32 or float64, got {queries.dtype}')
    rows, columns = shape[0], bank_shape[0]
    if mask is not None and tuple(mask.shape) not in ((columns,), (rows, columns)):
        raise ValueError(
            f'mask must be ({columns},) or ({rows}, {columns}), got {tuple(mask.shape)}'
        )
    if (query_labels is None) != (bank_labels is None):
        raise ValueError('query_labels and bank_labels go together; one of them is None')
    if bank_labels is not None and (
        tuple(query_labels.shape) != (rows,) or tuple(bank_labels.shape) != (columns,)
    ):
        raise ValueError(
            f'query_labels must be ({rows},) and bank_labels ({columns},), got '
            f'{tuple(query_labels.shape)} and {tuple(bank_labels.shape)}'
        )
