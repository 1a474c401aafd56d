"""Local-to-global contrast for ViTs (2022): an image's class token against patches."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from semcl_mm.losses.arguments import check_positive, check_shapes
from semcl_mm.losses.info_nce import info_nce_terms
from semcl_mm.losses.similarity import full_precision, normalise, streamed_logsumexp

__all__ = ['LocalToGlobalInfoNCELoss', 'local_to_global_info_nce']


def local_to_global_info_nce(
    global_query: Tensor,
    local_keys: Tensor,
    temperature: float = 0.1,
    image_index: Tensor | None = None,
) -> Tensor:
    r"""Contrast an image's global embedding with each patch of its other view (Eq. 1 in Eq. 2).

    .. math:: L = \frac{1}{BP} \sum_{b, i} -\log \frac{\exp(z_b \cdot z^+_{bi} / \tau)}
              {\exp(z_b \cdot z^+_{bi} / \tau)
               + \sum_{c \ne b} \sum_j \exp(z_b \cdot z^+_{cj} / \tau)}

    Each denominator holds one positive: the other patches of the same image appear in none. The
    negatives of image b are the same for all its patches, so one streamed log-sum-exp per image
    serves P terms. The paper's symmetric form is the mean of both directions.

    Args:
        global_query: z, (B, C).
        local_keys: z+, (B, P, C); with ``image_index`` (M, P, C), for example gathered from all
            ranks with their gradient.
        temperature: Positive.
        image_index: (B,), long: which row of ``local_keys`` is the other view of each query. None:
            row b belongs to query b.

    Returns:
        Scalar; zero (with its graph) where there are no patches or no other image.

    Raises:
        ValueError: For shapes that do not fit or a temperature that is not positive.
    """
    check_positive(temperature=temperature)
    images = 'B' if image_index is None else 'M'
    sizes = check_shapes(
        global_query=(global_query, 'B C'),
        local_keys=(local_keys, f'{images} P C'),
        image_index=(image_index, 'B'),
    )
    with full_precision(global_query):
        query, keys = normalise(global_query), normalise(local_keys)
        if sizes['B'] * sizes['P'] == 0:
            return query.sum() * 0 + keys.sum() * 0
        image = torch.arange(len(keys), device=keys.device)
        own = image if image_index is None else image_index
        negative = streamed_logsumexp(
            query,
            keys.flatten(0, 1),
            1 / temperature,
            query_labels=own,
            bank_labels=image.repeat_interleave(sizes['P']),
        )
        own_keys = keys if image_index is None else keys[image_index]
        positive = torch.einsum('bc,bpc->bp', query, own_keys) / temperature
        return info_nce_terms(positive, negative[:, None]).mean()


class LocalToGlobalInfoNCELoss(nn.Module):
    """Module form of :func:`local_to_global_info_nce`.

    Args:
        temperature: Positive.
        loss_weight: Factor on the loss.
    """

    def __init__(self, temperature: float = 0.1, loss_weight: float = 1.0) -> None:
        super().__init__()
        check_positive(temperature=temperature)
        self.temperature, self.loss_weight = temperature, loss_weight

    def forward(
        self, global_query: Tensor, local_keys: Tensor, image_index: Tensor | None = None
    ) -> Tensor:
        """See :func:`local_to_global_info_nce`."""
        return self.loss_weight * local_to_global_info_nce(
            global_query, local_keys, self.temperature, image_index
        )
