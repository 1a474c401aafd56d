"""PixCon: pixel-level contrast on scene images (Pang et al., WACV 2024)."""

import torch

from semcl_mm.losses import semantic_weights
from semcl_mm.registry import MODELS

from .building import ModuleConfig
from .densecl import DenseCL
from .matches import Matches, rows
from .two_view import Embedding
from .view_geometry import MASK_RULES, align_cells, has_area, in_box, nearest_cells
from .view_preprocessor import ViewBatch

__all__ = ['PixCon']

MATCHES = ('similarity', 'roi_align', 'nearest')


@MODELS.register_module()
class PixCon(DenseCL):
    """DenseCL's two losses in MoCo v2+'s or BYOL's pipeline, with three ways to find positives.

    ============ ========================================================================
    variant      options
    ============ ========================================================================
    PixCon-Sim   ``match='similarity'``: the most similar key cell, as in DenseCL
    PixCon-Coord ``match='roi_align'``: both maps are sampled on the views' common part, and
                 mirrored back; the positive is the same cell. ``match='nearest'``: the key
                 cell nearest in the photo, for query cells in the common part
    PixCon-SR    ``match='similarity', reweight=True``: query cells outside the common part
                 count by the similarity of their match (semantic reweighting)
    ============ ========================================================================

    The authors published code for Sim and SR; Coord is read from the paper's description and
    from the code of its models (SlotCon, PixPro).

    Args:
        backbone: See :class:`DenseCL`; so for all that is not named here.
        projector: See :class:`DenseCL`.
        dense_projector: See :class:`DenseCL`.
        predictor: See :class:`DenseCL`.
        dense_predictor: See :class:`DenseCL`.
        match: How a query cell finds its positive.
        reweight: Semantic reweighting; with ``match='similarity'`` only.
        mask: Which cells lie in the common part: ``'floor'`` (the authors' code) or
            ``'center'`` (commutes with flips), see :func:`~semcl_mm.models.view_geometry.in_box`.
        symmetric: See :class:`TwoViewEncoder`.
        **densecl: Further arguments of :class:`DenseCL` and its bases.

    Raises:
        ValueError: An unknown option, or reweighting of matches that are no similarities.
    """

    def __init__(
        self,
        backbone: ModuleConfig,
        projector: ModuleConfig,
        dense_projector: ModuleConfig,
        predictor: ModuleConfig | None = None,
        dense_predictor: ModuleConfig | None = None,
        match: str = 'similarity',
        reweight: bool = False,
        mask: str = 'floor',
        symmetric: bool = True,
        **densecl,
    ) -> None:
        super().__init__(
            backbone,
            projector,
            dense_projector,
            predictor,
            dense_predictor,
            symmetric=symmetric,
            **densecl,
        )
        for name, value, known in (('match', match, MATCHES), ('mask', mask, MASK_RULES)):
            if value not in known:
                raise ValueError(f'{name}={value!r} must be one of {list(known)}')
        if reweight and match != 'similarity':
            raise ValueError(f"reweight=True needs match='similarity', not {match!r}")
        self.positives, self.reweight, self.mask = match, reweight, mask

    def match(self, query: Embedding, key: Embedding, batch: ViewBatch, view: int) -> Matches:
        """Pair each query cell with a key cell; monitors say how alike they are, and where."""
        if batch is None:
            raise ValueError('PixCon needs the boxes of the views: ViewDataPreprocessor gives them')
        sizes = tuple(query['cells'].shape[-2:]), tuple(key['cells'].shape[-2:])
        if self.positives != 'similarity' and sizes[0] != sizes[1]:
            raise ValueError(
                f'match={self.positives!r} needs views of one size, got maps of {sizes[0]} and '
                f'{sizes[1]} cells'
            )
        if self.positives == 'roi_align':
            return self._aligned(query, key, batch, view)
        asking, asked = batch.boxes[:, view], batch.boxes[:, 1 - view]
        height, width = sizes[0]
        inside = in_box(asking, height, width, self.mask)
        index, similarity = self.alike(query, key)
        monitors = {'in_box': inside.float().mean(), 'matched_similarity': similarity.mean()}
        weights = None
        if self.positives == 'nearest':
            index = nearest_cells(asking, asked, batch.flipped.sum(dim=1) == 1, height, width)
            weights = inside.float()
        elif self.reweight:
            weights = semantic_weights(similarity, inside)
            monitors['weight'] = weights.mean()
        return Matches(rows(query['cells']), rows(key['cells']), index, weights, monitors)

    @staticmethod
    def _aligned(query: Embedding, key: Embedding, batch: ViewBatch, view: int) -> Matches:
        boxes, flipped = batch.boxes, batch.flipped
        own = rows(align_cells(query['cells'], boxes[:, view], flipped[:, view]))
        other = rows(align_cells(key['cells'], boxes[:, 1 - view], flipped[:, 1 - view]))
        index = torch.arange(own.shape[1], device=own.device).expand(len(own), -1)
        # Views without a common part have nothing to compare.
        weights = has_area(boxes[:, view]).float()[:, None].expand(index.shape)
        return Matches(own, other, index, weights, {'overlapping': weights.mean()})
