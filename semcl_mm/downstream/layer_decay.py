"""Layer-wise decay of the learning rate for segmentors: early layers of a backbone learn slower."""

from typing import Any

from mmpretrain.engine.optimizers import LearningRateDecayOptimWrapperConstructor
from mmseg.models import EncoderDecoder
from torch import nn

from semcl_mm.engine import GroupedOptimWrapperConstructor
from semcl_mm.registry import MODELS, OPTIM_WRAPPER_CONSTRUCTORS

__all__ = ['LayerDecayOptimWrapperConstructor', 'LayeredEncoderDecoder', 'LayeredMixin']


class LayeredMixin:
    """Tells a constructor of optimisers how deep a parameter lies.

    The backbone knows (mmpretrain's ViT, Swin, BEiT, … do); neck and heads lie behind it.
    Use it before the model's class: ``class Mine(LayeredMixin, EncoderDecoder)``.
    """

    def get_layer_depth(self, param_name: str) -> tuple[int, int]:
        """Depth of a parameter and number of depths.

        For a ViT of L blocks: 0 embeddings, 1 … L blocks, L + 1 final norm, neck and heads, of
        L + 2.

        Raises:
            ValueError: The backbone does not tell.
        """
        if not hasattr(self.backbone, 'get_layer_depth'):
            raise ValueError(
                f'{type(self.backbone).__name__} has no get_layer_depth, which layer-wise decay '
                "needs: take mmpretrain's class of this backbone, or another constructor"
            )
        return self.backbone.get_layer_depth(param_name, 'backbone.')


@MODELS.register_module()
class LayeredEncoderDecoder(LayeredMixin, EncoderDecoder):
    """mmseg's ``EncoderDecoder`` for layer-wise decay; see :class:`LayeredMixin`."""


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class LayerDecayOptimWrapperConstructor(
    GroupedOptimWrapperConstructor, LearningRateDecayOptimWrapperConstructor
):
    """mmpretrain's layer-wise decay with one group per distinct setting.

    The learning rate of a parameter at depth d of D is ``lr * layer_decay_rate ** (D - 1 - d)``:
    heads have the full one. mmpretrain's own makes a group of every parameter, so that foreach
    optimisers run tensor by tensor.

    ``paramwise_cfg``: ``layer_decay_rate``, ``norm_decay_mult``, ``bias_decay_mult``,
    ``flat_decay_mult`` and ``custom_keys`` with ``decay_mult``, as in mmpretrain.
    """

    def add_params(
        self, params: list[dict], module: nn.Module, prefix: str = '', **kwargs: Any
    ) -> None:
        """Append a group per parameter, without the names that would keep groups apart."""
        super().add_params(params, module, prefix=prefix, **kwargs)
        if prefix == '':
            for group in params:
                del group['param_name']
