"""Which cells of two frames belong together: CACL's positives, and where its cycles should end."""

from collections.abc import Sequence

import torch
from torch import Tensor

from semcl_mm.losses import match_by_similarity
from semcl_mm.losses.similarity import normalise

__all__ = ['HEADS', 'check_heads', 'cycle_ends', 'match_frames', 'share_in_place']

HEADS = ('global', 'pixel', 'cycle')
MATCHES = ('global', 'pixel', 'position')
CYCLE_TARGETS = ('identity', 'cross', 'self')

Cells = dict[str, Tensor]


@torch.no_grad()
def match_frames(here: Cells, there: Cells, match: str) -> Tensor:
    """Find the positive cell of v+ for each cell of v (Eq. 4).

    Args:
        here: Embeddings (B, L, C) of the cells of v, by head.
        there: Those of v+.
        match: The most similar cell in the embeddings of the ``'global'`` or of the ``'pixel'``
            head, or the one in the same ``'position'``.

    Returns:
        Index (B, L).
    """
    if match != 'position':
        return match_by_similarity(here[match], there[match])[0]
    batch, cells, _ = here['pixel'].shape
    return torch.arange(cells, device=here['pixel'].device).expand(batch, -1)


def share_in_place(match: Tensor) -> Tensor:
    """Share of the cells (scalar) whose match (B, L) is the one in their position."""
    return (match == torch.arange(match.shape[1], device=match.device)).float().mean()


@torch.no_grad()
def cycle_ends(here: Cells, there: Cells, target: str, temperature: float) -> Tensor | None:
    """Say in which cells of v a cycle should end.

    Args:
        here: Embeddings (B, L, C) of the cells of v, by head.
        there: Those of v+.
        target: ``'identity'``, where it began; or softly, in cells that the global head finds
            similar: ``'cross'``, softmax(<u, u+> / temperature), as the paper writes, or
            ``'self'``, softmax(<u, u> / temperature), within the frame in which it ends.
        temperature: Of the softmax.

    Returns:
        Distribution (B, L, L) over the cells of v; None for the identity.
    """
    if target == 'identity':
        return None
    end = there if target == 'cross' else here
    cosine = normalise(here['global']) @ normalise(end['global']).mT
    return (cosine / temperature).softmax(dim=-1)


def check_heads(heads: Sequence[str], match: str, cycle_target: str) -> None:
    """Raise ``ValueError`` for an unknown option, or one that needs a head that is not there."""
    if not heads or len(set(heads)) < len(heads) or set(heads) - set(HEADS):
        raise ValueError(f'heads={list(heads)} must be distinct ones of {list(HEADS)}')
    for name, value, known in (
        ('match', match, MATCHES),
        ('cycle_target', cycle_target, CYCLE_TARGETS),
    ):
        if value not in known:
            raise ValueError(f'{name}={value!r} must be one of {list(known)}')
    if 'pixel' in heads and match != 'position' and match not in heads:
        raise ValueError(f'match={match!r} needs that head; without it use match="position"')
    if 'cycle' in heads and cycle_target != 'identity' and 'global' not in heads:
        raise ValueError(f'cycle_target={cycle_target!r} needs the global head, for its target')
