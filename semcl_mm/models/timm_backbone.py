"""Any timm model as a backbone with a feature pyramid, for pretraining and mmseg/mmdet alike."""

from collections.abc import Sequence

import timm
from mmengine.model import BaseModule
from torch import Tensor, nn

from semcl_mm.registry import MODELS

__all__ = ['TimmBackbone']

_PYRAMID_LEVELS = 4
# what follows the features and would never get a gradient here
_AFTER_FEATURES = ('head.', 'fc.', 'classifier.', 'fc_norm.', 'attn_pool.')


@MODELS.register_module()
class TimmBackbone(BaseModule):
    """A timm model that returns its intermediate maps, (N, C, H, W) each.

    The parameters keep timm's names behind the prefix ``timm_model.`` (mmpretrain's TIMMBackbone
    has the same), so that a checkpoint converts by cutting that prefix. Plain ViTs give maps of
    one stride; transformers take any image size where timm lets them.

    Args:
        model_name: A name that ``timm.list_models()`` prints.
        out_indices: Which intermediate outputs to return, as timm counts them (negative: from the
            end). None: the last output of each of the four coarsest strides, or four evenly
            spaced blocks where all strides are equal. For pretraining with the last map alone
            give ``(-1,)``: the layers of other levels then exist only where they are needed.
        pretrained: Let timm download its weights.
        norm: Apply the model's final norm (ViT: to every output; Swin: to the last).
        init_cfg: MMEngine's initialisation config (``Pretrained`` and the like).
        **kwargs: Passed to ``timm.create_model``: ``drop_path_rate``, ``img_size``…

    Attributes:
        out_channels: Channels of each returned map.
        out_strides: Stride of each returned map.

    Raises:
        ValueError: The model is unknown to timm, cannot return intermediate maps, or has no
            output of that index.
    """

    def __init__(
        self,
        model_name: str,
        out_indices: Sequence[int] | None = None,
        pretrained: bool = False,
        norm: bool = True,
        init_cfg: dict | list[dict] | None = None,
        **kwargs,
    ) -> None:
        super().__init__(init_cfg)
        model = _create(model_name, pretrained=pretrained, **kwargs)
        if not hasattr(model, 'forward_intermediates'):
            raise ValueError(f'timm model {model_name!r} cannot return intermediate maps')
        levels = model.feature_info
        levels = getattr(levels, 'info', levels)
        count = len(levels)
        indices = _pyramid(levels) if out_indices is None else [int(i) for i in out_indices]
        if not indices or any(not -count <= index < count for index in indices):
            raise ValueError(
                f'out_indices={out_indices} for timm model {model_name!r}: '
                f'it has {count} outputs, {-count}…{count - 1}'
            )
        self.out_indices = sorted(index % count for index in indices)
        self.out_channels = [levels[index]['num_chs'] for index in self.out_indices]
        self.out_strides = [levels[index]['reduction'] for index in self.out_indices]
        model.prune_intermediate_layers(self.out_indices, prune_norm=not norm, prune_head=True)
        for name, parameter in model.named_parameters():
            if name.startswith(_AFTER_FEATURES):
                parameter.requires_grad_(False)
        self.norm = norm
        self.pretrained = pretrained
        self.timm_model = model

    def init_weights(self) -> None:
        """timm has initialised the model; only an ``init_cfg`` changes it."""
        if self.init_cfg:
            super().init_weights()
        self.is_init = True

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Feature maps of (N, 3, H, W) images, shallow to deep."""
        return tuple(
            self.timm_model.forward_intermediates(
                images,
                indices=self.out_indices,
                norm=self.norm,
                output_fmt='NCHW',
                intermediates_only=True,
            )
        )


def _create(model_name: str, **kwargs) -> nn.Module:
    """``timm.create_model``, for any image size where the architecture knows that option."""
    if not timm.is_model(model_name):
        raise ValueError(f'timm {timm.__version__} knows no model {model_name!r}')
    try:
        return timm.create_model(model_name, num_classes=0, dynamic_img_size=True, **kwargs)
    except TypeError as error:
        if 'dynamic_img_size' not in str(error):
            raise
    return timm.create_model(model_name, num_classes=0, **kwargs)


def _pyramid(levels: Sequence[dict]) -> list[int]:
    """The last index of each of the coarsest strides, or evenly spaced indices of a plain ViT."""
    last_of_stride = {level['reduction']: index for index, level in enumerate(levels)}
    if len(last_of_stride) > 1:
        return sorted(last_of_stride.values())[-_PYRAMID_LEVELS:]
    count = len(levels)
    steps = min(_PYRAMID_LEVELS, count)
    return [count * (step + 1) // steps - 1 for step in range(steps)]
