"""Local-to-global pretraining of ViTs (Rabarisoa et al., arXiv 2205.15173)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmpretrain.models.selfsup import BaseSelfSupervisor
from torch import Tensor

from semcl_mm.distributed import all_gather_with_grad, rank
from semcl_mm.registry import MODELS

from .building import ModuleConfig, build_module
from .monitors import spread

__all__ = ['LocalToGlobal']


@MODELS.register_module()
class LocalToGlobal(BaseSelfSupervisor):
    """Contrast the class token of one view with every patch of the other view.

    With z = P(class token of x) and z+_i = P(patch i of x+), one projector P for both, the loss
    is the mean over images and patches of ``L_nce(z, z+_i)`` (Eq. 1 and 2); the negatives are the
    patches of the other images. Everything is trained end to end: there is no momentum encoder,
    no queue and no stopped gradient. The two views go through the backbone in one pass.

    Args:
        backbone: Config of a ViT that returns tokens (B, 1 + P, C), class token first:
            mmpretrain's ``VisionTransformer(out_type='raw', out_indices=[last])``, whose final
            norm has been applied by then.
        projector: Config of the module on tokens, e.g. :class:`TokenMLP`.
        loss: Config of a module called with (B, C) and (M, P, C) and an ``image_index`` (B,),
            e.g. ``LocalToGlobalInfoNCELoss``.
        symmetric: Mean of both directions; False contrasts the class token of the first view
            with the patches of the second only.
        gather: Take patches of all processes as negatives, with their exact gradient. The paper
            keeps to those of each device.
        data_preprocessor: Config of the data preprocessor.
        init_cfg: MMEngine's initialisation config.
    """

    def __init__(
        self,
        backbone: ModuleConfig,
        projector: ModuleConfig,
        loss: ModuleConfig,
        symmetric: bool = True,
        gather: bool = False,
        data_preprocessor: ModuleConfig | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(backbone, data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        self.projector = build_module(projector)
        self.criterion = build_module(loss)
        self.symmetric, self.gather = symmetric, gather

    def loss(self, inputs: Sequence[Tensor], data_samples: object = None) -> dict[str, Tensor]:
        """The local-to-global loss and what tells a collapse.

        Args:
            inputs: Two views, each (B, 3, H, W).
            data_samples: Not used.

        Returns:
            ``loss`` and, without gradient, ``positive_similarity`` and ``negative_similarity``
            (mean cosines of class tokens with patches of their own image and of the others) and
            ``feature_std`` (of the unit class tokens over the batch, times sqrt(C): 1 is spread
            evenly, 0 collapsed). All stay on the device.

        Raises:
            ValueError: There are not two views of one shape, or the backbone returns no tokens.
        """
        if len(inputs) != 2 or inputs[0].shape != inputs[1].shape:
            shapes = [tuple(view.shape) for view in inputs]
            raise ValueError(f'local-to-global contrast needs two views of one shape, got {shapes}')
        first, second = self.embed(torch.cat(tuple(inputs))).chunk(2)
        loss = self._contrast(first[:, 0], second[:, 1:])
        if self.symmetric:
            loss = (loss + self._contrast(second[:, 0], first[:, 1:])) / 2
        return {'loss': loss, **_monitor(first[:, 0], second[:, 1:])}

    def embed(self, images: Tensor) -> Tensor:
        """Projected tokens (B, 1 + P, C) of images (B, 3, H, W), class token first."""
        tokens = self.backbone(images)
        tokens = tokens if isinstance(tokens, Tensor) else tokens[-1]
        if tokens.dim() != 3:
            raise ValueError(
                f'the backbone returned {tuple(tokens.shape)} instead of tokens (B, 1 + P, C): '
                "set its out_type='raw'"
            )
        return self.projector(tokens)

    def _contrast(self, query: Tensor, local_keys: Tensor) -> Tensor:
        image = torch.arange(len(query), device=query.device)
        if self.gather:
            local_keys = all_gather_with_grad(local_keys)
            image = image + rank() * len(query)
        return self.criterion(query, local_keys, image)


@torch.no_grad()
def _monitor(query: Tensor, local_keys: Tensor) -> dict[str, Tensor]:
    """Scalars that show a collapse before the loss does; (B, C) and (B, P, C)."""
    query = F.normalize(query.float(), dim=-1)
    means = F.normalize(local_keys.float(), dim=-1).mean(dim=1)  # (B, C)
    with torch.autocast(query.device.type, enabled=False):
        similarity = query @ means.T  # (B, B): mean cosines with the patches of an image
    positive = similarity.diagonal().mean()
    monitored = {'positive_similarity': positive}
    batch = len(query)
    if batch > 1:
        monitored['negative_similarity'] = (similarity.mean() * batch - positive) / (batch - 1)
        monitored['feature_std'] = spread(query)
    return monitored
