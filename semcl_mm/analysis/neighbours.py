"""Nearest neighbours among many features, a block of similarities at a time."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ['nearest', 'vote']

_BLOCK = 2**22  # similarities at a time: 16 MiB, and twice that for their sort keys


@torch.no_grad()
def nearest(
    queries: Tensor, bank: Tensor, neighbours: int, block: int = _BLOCK
) -> tuple[Tensor, Tensor]:
    """The most similar rows of a bank for each query, by cosine, in float32.

    Of equally similar rows the one that comes first in the bank is nearer, whatever the size of a
    block: a collapsed network, for which all rows are equal, has a defined answer too.

    Args:
        queries: (N, C), of any length; scaled to unit length here.
        bank: (M, C), M >= ``neighbours``.
        neighbours: k >= 1.
        block: How many similarities exist at a time, at least; never N x M.

    Returns:
        Similarity (N, k), descending, and row of the bank (N, k), on the queries' device.

    Raises:
        ValueError: The bank is smaller than k, or the features have different lengths.
    """
    if not 1 <= neighbours <= len(bank):
        raise ValueError(f'{neighbours} neighbours need as many rows, the bank has {len(bank)}')
    if queries.shape[1:] != bank.shape[1:]:
        raise ValueError(f'queries {tuple(queries.shape)} and bank {tuple(bank.shape)} do not fit')
    bank = F.normalize(bank.float(), dim=1)
    columns = min(len(bank), max(neighbours, int(block**0.5)))
    rows = max(1, block // columns)
    with torch.autocast(queries.device.type, enabled=False):
        found = [
            _nearest(F.normalize(part.float(), dim=1), bank, neighbours, columns)
            for part in queries.split(rows)
        ]
    if not found:
        return queries.new_zeros((0, neighbours)), queries.new_zeros((0, neighbours)).long()
    similarity, index = zip(*found, strict=True)
    return torch.cat(similarity), torch.cat(index)


def _nearest(queries: Tensor, bank: Tensor, neighbours: int, columns: int) -> tuple[Tensor, Tensor]:
    best = None
    for start in range(0, len(bank), columns):
        keys = _keys(queries @ bank[start : start + columns].T, start)
        keys = keys.topk(min(neighbours, keys.shape[1]), dim=1).values
        if best is not None:
            keys = torch.cat([best, keys], dim=1)
            keys = keys.topk(min(neighbours, keys.shape[1]), dim=1).values
        best = keys
    return _similarities(best)


def _keys(similarity: Tensor, start: int) -> Tensor:
    """Integers that sort as (similarity, earlier row): the float's bits, then the row's."""
    bits = (similarity + 0.0).contiguous().view(torch.int32).long()  # + 0: -0 becomes 0
    ordered = bits ^ ((bits >> 31) & 0x7FFFFFFF)  # negative floats sort backwards
    row = torch.arange(start, start + similarity.shape[1], device=similarity.device)
    return (ordered << 32) | (0x7FFFFFFF - row)


def _similarities(keys: Tensor) -> tuple[Tensor, Tensor]:
    ordered = keys >> 32
    bits = ordered ^ ((ordered >> 31) & 0x7FFFFFFF)
    return bits.int().view(torch.float32), 0x7FFFFFFF - (keys & 0xFFFFFFFF)


@torch.no_grad()
def vote(similarity: Tensor, index: Tensor, targets: Tensor, temperature: float = 0.07) -> Tensor:
    """What the neighbours say, weighted by exp(similarity / temperature).

    The weighted kNN of instance discrimination (Wu et al., CVPR 2018), with weights that add up
    to one.

    Args:
        similarity: (N, k) cosines.
        index: (N, k) rows of the bank.
        targets: (M, K) shares of the classes of each row, or several labels at once.
        temperature: > 0; 0.07 as in that paper.

    Returns:
        (N, K) weighted means of the targets.
    """
    weights = (similarity / temperature).softmax(dim=1)
    votes = similarity.new_zeros((len(index), targets.shape[1]))
    for place in range(index.shape[1]):  # never (N, k, K)
        votes += weights[:, place, None] * targets[index[:, place]].to(votes)
    return votes
