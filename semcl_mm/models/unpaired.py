"""Unpaired InfoNCE, SemCL's ablation: an object against other objects (MoCo v3's contrast)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semcl_mm.distributed import all_gather, rank
from semcl_mm.losses.similarity import full_precision, normalise
from semcl_mm.registry import MODELS

__all__ = ['UnpairedInfoNCELoss']


@MODELS.register_module()
class UnpairedInfoNCELoss(nn.Module):
    r"""InfoNCE among the samples of one role (the authors' ``--loss-mode mocov3``).

    Query i of view t classifies the key of its own sample in view j among the keys of that view
    of *all* samples, of all processes; the other role is never seen. Per pair of views

    .. math:: 2 \tau \cdot \frac1N \sum_i -\log
              \frac{\exp(q_i \cdot k_i / \tau)}{\sum_m \exp(q_i \cdot k_m / \tau)}

    Args:
        temperature: tau, positive.
        pairing: ``'cyclic'`` pairs t with (t + 1) % V (the authors' code), ``'triangular'`` all
            t < j.

    Raises:
        ValueError: An argument is out of range.
    """

    def __init__(self, temperature: float = 0.2, pairing: str = 'cyclic') -> None:
        super().__init__()
        if not temperature > 0:
            raise ValueError(f'temperature must be positive, got {temperature}')
        if pairing not in ('cyclic', 'triangular'):
            raise ValueError(f"pairing must be 'cyclic' or 'triangular', got {pairing!r}")
        self.temperature = temperature
        self.pairing = pairing

    def forward(self, queries: Tensor, positives: Tensor, negatives: Tensor) -> Tensor:
        """The sum over the pairs of views.

        Args:
            queries: (V, N, C).
            positives: (V, N, C), keys of the same role, without a gradient.
            negatives: Keys of the other role, not used.

        Returns:
            Scalar.
        """
        views, samples = queries.shape[:2]
        with full_precision(queries):
            queries = normalise(queries)
            keys = normalise(positives)
            # samples first: processes are joined along the first dimension
            everyone = all_gather(keys.transpose(0, 1)).transpose(0, 1)
            own = torch.arange(samples, device=queries.device) + rank() * samples
            loss = queries.sum() * 0
            for query_view, key_view in _pairs(views, self.pairing):
                logits = queries[query_view] @ everyone[key_view].T / self.temperature
                loss = loss + F.cross_entropy(logits, own)
            return 2 * self.temperature * loss


def _pairs(views: int, pairing: str) -> list[tuple[int, int]]:
    if pairing == 'cyclic':
        return [(view, (view + 1) % views) for view in range(views)]
    return [(first, later) for later in range(views) for first in range(later)]
