"""MoCo v2 and what followed with an image-level loss: MoCo v2+ and BYOL."""

from torch import Tensor

from semcl_mm.losses import cosine_regression, info_nce
from semcl_mm.losses.arguments import check_positive
from semcl_mm.registry import MODELS

from .building import ModuleConfig
from .momentum import Features
from .monitors import spread
from .two_view import Embedding, TwoViewEncoder
from .view_preprocessor import ViewBatch

__all__ = ['MoCo']

IMAGE_LOSSES = ('info_nce', 'cosine')


@MODELS.register_module()
class MoCo(TwoViewEncoder):
    """Recognise an image by another view of it, among the images of a queue.

    ======== =========================================================================
    method   options
    ======== =========================================================================
    MoCo v2  none, ``shuffle_bn=True`` on several processes (Chen et al., 2020)
    MoCo v2+ ``predictor``, ``symmetric=True``, synchronised batch norms and a rising
             momentum (Huang et al., ECCV 2022)
    BYOL     as MoCo v2+, with ``image_loss='cosine'`` (Grill et al., NeurIPS 2020)
    ======== =========================================================================

    Args:
        backbone: Config of the backbone; its last output is pooled.
        projector: Config of the projector, e.g. :class:`MLPHead`; it has ``out_channels``.
        predictor: Config of the online encoder's predictor, or None.
        temperature: That of all InfoNCE losses.
        image_loss: ``'info_nce'``, or ``'cosine'``: BYOL's, which has no queue.
        **two_view: Further arguments of :class:`TwoViewEncoder`.

    Raises:
        ValueError: An unknown ``image_loss``, the cosine loss without a predictor, or a
            temperature that is not positive.
    """

    def __init__(
        self,
        backbone: ModuleConfig,
        projector: ModuleConfig,
        predictor: ModuleConfig | None = None,
        temperature: float = 0.2,
        image_loss: str = 'info_nce',
        **two_view,
    ) -> None:
        super().__init__(backbone, projector, predictor, **two_view)
        check_positive(temperature=temperature)
        if image_loss not in IMAGE_LOSSES:
            raise ValueError(f'image_loss={image_loss!r} must be one of {list(IMAGE_LOSSES)}')
        if image_loss == 'cosine' and predictor is None:
            raise ValueError("image_loss='cosine' collapses without a predictor")
        self.image_loss, self.temperature = image_loss, temperature
        if image_loss == 'info_nce':
            self.add_queue('image', self.projector.out_channels)

    def ask(self, features: Features) -> Embedding:
        """``image`` (B, C), the prediction."""
        image = self.projector(features)
        return {'image': image if self.predictor is None else self.predictor(image)}

    def answer(self, features: Features) -> Embedding:
        """``image`` (B, C)."""
        return {'image': self.target_projector(features)}

    def compare(
        self, query: Embedding, key: Embedding, batch: ViewBatch | None, view: int
    ) -> dict[str, Tensor]:
        """``loss_image``, and ``feature_std`` (see :func:`~semcl_mm.models.monitors.spread`)."""
        if self.image_loss == 'cosine':
            loss = cosine_regression(query['image'], key['image'])
        else:
            negatives = self.queues['image'].features
            loss = info_nce(
                query['image'],
                key['image'],
                negatives,
                self.temperature,
                normalise_negatives=False,  # a queue holds unit vectors
            )
        monitors = {'feature_std': spread(query['image'])} if len(query['image']) > 1 else {}
        return {'loss_image': loss, **monitors}
