"""DenseCL: contrast the cells of two views that look alike (Wang et al., CVPR 2021)."""

import torch
from torch import Tensor

from semcl_mm.losses import dense_info_nce, match_by_similarity
from semcl_mm.registry import MODELS

from .building import ModuleConfig
from .matches import Matches, rows
from .moco import MoCo
from .momentum import Features
from .projectors import deepest
from .two_view import Embedding
from .view_preprocessor import ViewBatch

__all__ = ['DenseCL']


@MODELS.register_module()
class DenseCL(MoCo):
    """MoCo's loss and the same for cells: the positive of a cell is the most similar key cell.

    Cells are matched by the cosine of the backbones' features, without a gradient. The dense
    queue keeps one vector per image, the mean of its key cells' embeddings. The loss is
    ``(1 - dense_weight) * image + dense_weight * dense``.

    With a predictor and ``symmetric=True`` this is PixCon-Sim (Pang et al., WACV 2024). With
    ``shuffle_bn`` the target's backbone features come back from other processes too, as in the
    authors' code: the matching needs them.

    Args:
        backbone: See :class:`MoCo`; so for all that is not named here.
        projector: See :class:`MoCo`.
        dense_projector: Config of the projector of cells, e.g. :class:`DenseMLPHead`; it has
            ``out_channels``.
        predictor: See :class:`MoCo`.
        dense_predictor: Config of the cells' predictor, or None.
        dense_weight: Share of the dense loss, in [0, 1].
        half_products: Multiply by a bfloat16 dense queue (``queue_dtype='bfloat16'``) in bfloat16,
            see :func:`~semcl_mm.losses.dense_info_nce`.
        **moco: Further arguments of :class:`MoCo` and :class:`TwoViewEncoder`.

    Raises:
        ValueError: ``dense_weight`` is out of range, or ``half_products`` with another queue.
    """

    def __init__(
        self,
        backbone: ModuleConfig,
        projector: ModuleConfig,
        dense_projector: ModuleConfig,
        predictor: ModuleConfig | None = None,
        dense_predictor: ModuleConfig | None = None,
        dense_weight: float = 0.5,
        half_products: bool = False,
        **moco,
    ) -> None:
        super().__init__(backbone, projector, predictor, **moco)
        if not 0 <= dense_weight <= 1:
            raise ValueError(f'dense_weight={dense_weight} must be in [0, 1]')
        if half_products and self.queue_options['dtype'] != torch.bfloat16:
            raise ValueError("half_products=True needs queue_dtype='bfloat16'")
        self.dense_weight, self.half_products = dense_weight, half_products
        self.dense_projector = self.build(dense_projector)
        self.dense_predictor = self.build(dense_predictor)
        self.add_target('dense_projector')
        self.add_queue('dense', self.dense_projector.out_channels)

    def ask(self, features: Features) -> Embedding:
        """Adds ``cells`` (B, C, h, w) and the backbone's ``features``, which get no gradient."""
        cells = self.dense_projector(features)
        if self.dense_predictor is not None:
            cells = self.dense_predictor(cells)
        return {**super().ask(features), 'cells': cells, 'features': deepest(features).detach()}

    def answer(self, features: Features) -> Embedding:
        """Adds ``cells``, the backbone's ``features``, and ``dense`` (B, C), for the queue."""
        cells = self.target_dense_projector(features)
        dense = cells.mean(dim=(2, 3))
        return {
            **super().answer(features),
            'cells': cells,
            'features': deepest(features),
            'dense': dense,
        }

    def compare(
        self, query: Embedding, key: Embedding, batch: ViewBatch | None, view: int
    ) -> dict[str, Tensor]:
        """Both losses, weighted."""
        results = super().compare(query, key, batch, view)
        matches = self.match(query, key, batch, view)
        dense = dense_info_nce(
            matches.query,
            matches.key,
            matches.index,
            self.queues['dense'].features,
            self.temperature,
            matches.weights,
            normalise_negatives=False,  # a queue holds unit vectors
            half_products=self.half_products,
        )
        results['loss_image'] = (1 - self.dense_weight) * results['loss_image']
        return {**results, 'loss_dense': self.dense_weight * dense, **matches.monitors}

    @torch.no_grad()
    def alike(self, query: Embedding, key: Embedding) -> tuple[Tensor, Tensor]:
        """Index (B, S) of the most similar key cell of the backbones, and that cosine (B, S)."""
        return match_by_similarity(rows(query['features']), rows(key['features']))

    def match(
        self, query: Embedding, key: Embedding, batch: ViewBatch | None, view: int
    ) -> Matches:
        """Pair each query cell with a key cell; arguments as :meth:`compare`."""
        index, similarity = self.alike(query, key)
        monitors = {'matched_similarity': similarity.mean()}
        return Matches(rows(query['cells']), rows(key['cells']), index, None, monitors)
