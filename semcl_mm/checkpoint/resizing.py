"""Position embeddings and relative-position tables for another image or window size."""

import math

import torch
import torch.nn.functional as F

from semcl_mm.checkpoint.renaming import State

Resized = dict[str, tuple[tuple[int, ...], tuple[int, ...]]]


def resize_relative_position_table(table: torch.Tensor, length: int) -> torch.Tensor:
    """Bicubic interpolation of a Swin Transformer's bias table over the offsets.

    Args:
        table: ((2 M - 1)², heads) for windows of M × M tokens.
        length: (2 N - 1)², the length for the new window.

    Returns:
        (length, heads).

    Raises:
        ValueError: If one of the windows is not square.
    """
    old, new = math.isqrt(len(table)), math.isqrt(length)
    if old**2 != len(table) or new**2 != length:
        raise ValueError(f'windows must be square, got tables of {len(table)} and {length} rows')
    grid = table.T.reshape(1, -1, old, old)
    return _bicubic(grid, (new, new)).reshape(-1, length).T.contiguous()


def resize_position_embedding(
    embedding: torch.Tensor, tokens: tuple[int, int], new: torch.Size, new_tokens: tuple[int, int]
) -> torch.Tensor:
    """Bicubic interpolation of an absolute position embedding over the image.

    Args:
        embedding: (1, E + H W, C): E embeddings of extra tokens, then one per patch.
        tokens: (E, side) of the old embedding: number of extra tokens, patches per side.
        new: Shape that is wanted, (1, E' + H' W', C) with E' <= E. Where E' < E, the first extra
            tokens go.
        new_tokens: (E', side') of the new embedding.

    Returns:
        The embedding in the new shape.
    """
    (extra, side), (new_extra, new_side) = tokens, new_tokens
    channels = embedding.shape[-1]
    grid = embedding[:, extra:].reshape(1, side, side, channels).permute(0, 3, 1, 2)
    patches = _bicubic(grid, (new_side, new_side)).flatten(2).transpose(1, 2)
    kept = embedding[:, extra - new_extra : extra]
    return torch.cat([kept, patches], dim=1).reshape(new)


def _bicubic(grid: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    if grid.shape[-2:] == size:
        return grid
    resized = F.interpolate(grid.float(), size=size, mode='bicubic', align_corners=False)
    return resized.to(grid.dtype)


def fit_sizes(state: State, reference: State) -> tuple[State, Resized]:
    """Interpolates what depends on the image or the window size to a module's shapes.

    Args:
        state: Tensors by name.
        reference: The module's tensors under the same names.

    Returns:
        The tensors, and the shapes before and after for those that were interpolated. What
        cannot be interpolated (other channels, no square) keeps its shape.
    """
    fitted, resized = dict(state), {}
    for key, value in state.items():
        wanted = reference.get(key)
        if wanted is None or wanted.shape == value.shape:
            continue
        new = None
        name = key.rpartition('.')[2]
        if name == 'relative_position_bias_table':
            new = _fit_table(value, wanted)
        elif name in ('pos_embed', 'absolute_pos_embed', 'pos_embedding'):
            new = _fit_embedding(value, wanted, state, reference)
        if new is not None:
            fitted[key] = new
            resized[key] = tuple(value.shape), tuple(new.shape)
    return fitted, resized


def _fit_table(value: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor | None:
    sides = math.isqrt(len(value)), math.isqrt(len(wanted))
    if value.shape[1:] != wanted.shape[1:] or (sides[0] ** 2, sides[1] ** 2) != (
        len(value),
        len(wanted),
    ):
        return None
    return resize_relative_position_table(value, len(wanted))


def _fit_embedding(
    value: torch.Tensor, wanted: torch.Tensor, state: State, reference: State
) -> torch.Tensor | None:
    if value.ndim != 3 or wanted.ndim != 3 or value.shape[-1] != wanted.shape[-1]:
        return None
    old, new = _tokens(value.shape[1], state), _tokens(wanted.shape[1], reference)
    if old is None or new is None or new[0] > old[0]:
        return None
    return resize_position_embedding(value, old, wanted.shape, new)


def _tokens(length: int, state: State) -> tuple[int, int] | None:
    """Extra tokens and patches per side of an embedding, by the extra tokens beside it."""
    names = {key.rpartition('.')[2] for key in state}
    extra = len(names & {'cls_token', 'class_token'}) + len(names & {'dist_token'})
    # Some models have a class token but no embedding for it.
    for count in sorted({extra, 0, 1}, key=lambda count: count != extra):
        side = math.isqrt(max(length - count, 0))
        if side and side**2 == length - count:
            return count, side
    return None
