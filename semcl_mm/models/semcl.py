"""SemCL: contrast an object with its own environment (Jiang et al., ICCV 2023)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from semcl_mm.registry import MODELS

from .building import ModuleConfig
from .momentum import MomentumEncoder
from .monitors import spread

__all__ = ['SemCL']


@MODELS.register_module()
class SemCL(MomentumEncoder):
    """Paired contrast of anchors (objects) and ¬anchors (their environment).

    Queries ``q = predictor(projector(backbone(x)))`` come from the online encoder and keys
    ``k = target_projector(target_backbone(x))`` from the target encoder, for V views of both
    roles. The loss is ``criterion(q_anchor, k_anchor, k_¬anchor)``, and with ``symmetric`` the
    same with the roles swapped is added, as in the authors' code (the paper's Eq. 3 has the
    anchor half alone).

    Every view of every role is normalised on its own in the heads and in a backbone with batch
    norm, as in the authors' code: the projector's last norm then centres anchors and ¬anchors
    separately, so that a constant offset between the two cannot solve the task.

    Args:
        backbone: Config of the backbone; its last output is pooled.
        projector: Config of the projector, e.g. :class:`MLPHead`.
        predictor: Config of the predictor, e.g. :class:`MLPHead`.
        loss: Config of a module called with (queries, positives, negatives), each (V, B, C):
            ``PairedInfoNCELoss`` (Eq. 3) or :class:`UnpairedInfoNCELoss` (the ablation).
        symmetric: Add the half with ¬anchors as queries.
        data_preprocessor: Config of the data preprocessor.
        stop_grad_conv1: Freeze the first convolution of the backbone.
        batch_views: See :class:`MomentumEncoder`.
        init_cfg: MMEngine's initialisation config.
    """

    def __init__(
        self,
        backbone: ModuleConfig,
        projector: ModuleConfig,
        predictor: ModuleConfig,
        loss: ModuleConfig,
        symmetric: bool = True,
        data_preprocessor: ModuleConfig | None = None,
        stop_grad_conv1: bool = False,
        batch_views: bool | str = 'auto',
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(
            backbone,
            projector,
            predictor,
            data_preprocessor=data_preprocessor,
            stop_grad_conv1=stop_grad_conv1,
            batch_views=batch_views,
            init_cfg=init_cfg,
        )
        self.criterion = self.build(loss)
        self.symmetric = symmetric

    def loss(self, inputs: Sequence[Tensor], data_samples: list | None = None) -> dict[str, Tensor]:
        """The SemCL loss and what tells a collapse.

        Args:
            inputs: V views, each (B, 2, 3, H, W); role 0 is the anchor, role 1 the ¬anchor.
            data_samples: B samples, whose ``anchor_fraction`` (V,), where present, gives the
                rate of views without a pixel of the object.

        Returns:
            ``loss`` and, without gradient, ``feature_std`` (mean standard deviation of the
            unit-norm queries over the batch, times sqrt(C): 1 is spread evenly, 0 collapsed),
            ``positive_similarity`` and ``negative_similarity`` (mean cosines), and
            ``empty_view_rate``. All stay on the device.

        Raises:
            ValueError: A view is not of shape (B, 2, 3, H, W).
        """
        for view in inputs:
            if view.dim() != 5 or view.shape[1] != 2:
                raise ValueError(
                    f'each view must be (B, 2, 3, H, W) with both roles, got {tuple(view.shape)}'
                )
        groups = [view[:, role] for view in inputs for role in (0, 1)]
        queries = self._by_view_and_role(self._queries(groups))
        keys = self._by_view_and_role(self._keys(groups))
        anchor, environment = (0, 1)
        loss = self.criterion(queries[:, anchor], keys[:, anchor], keys[:, environment])
        if self.symmetric:
            loss = loss + self.criterion(
                queries[:, environment], keys[:, environment], keys[:, anchor]
            )
        return {'loss': loss, **_monitor(queries, keys), **_empty_view_rate(data_samples)}

    def _queries(self, groups: Sequence[Tensor]) -> list[Tensor]:
        features = self.encode_groups(self.backbone, groups)
        return [self.predictor(self.projector(feature)) for feature in features]

    @torch.no_grad()
    def _keys(self, groups: Sequence[Tensor]) -> list[Tensor]:
        features = self.encode_groups(self.target_backbone, groups)
        return [self.target_projector(feature) for feature in features]

    @staticmethod
    def _by_view_and_role(embeddings: list[Tensor]) -> Tensor:
        """2V embeddings (B, C) -> (V, 2, B, C)."""
        return torch.stack(embeddings).unflatten(0, (-1, 2))


@torch.no_grad()
def _monitor(queries: Tensor, keys: Tensor) -> dict[str, Tensor]:
    """Scalars that show a collapse before the loss does; (V, 2, B, C) both."""
    queries = F.normalize(queries.float(), dim=-1)
    keys = F.normalize(keys.float(), dim=-1)
    next_keys = keys.roll(-1, dims=0)
    negative = torch.einsum('vrbc,wrbc->vwrb', queries, keys.flip(1))
    monitored = {
        'positive_similarity': (queries * next_keys).sum(-1).mean(),
        'negative_similarity': negative.mean(),
    }
    if queries.shape[2] > 1:
        monitored['feature_std'] = spread(queries, dim=2)
    return monitored


def _empty_view_rate(data_samples: list | None) -> dict[str, Tensor]:
    fractions = [
        sample.anchor_fraction for sample in data_samples or () if 'anchor_fraction' in sample
    ]
    if not fractions:
        return {}
    return {'empty_view_rate': (torch.stack(fractions) == 0).float().mean()}
