"""Find and freeze the first convolution of a backbone (``stop_grad_conv1``)."""

from torch import nn

__all__ = ['freeze_stem']

# where mmpretrain, mmseg and timm keep the layer that sees the pixels
_STEMS = (
    'conv1',
    'stem',
    'conv_stem',
    'patch_embed.projection',
    'patch_embed.proj',
    'patch_embed',
    'downsample_layers.0',
)


def freeze_stem(backbone: nn.Module) -> list[nn.Parameter]:
    """Stop the gradient of the first convolution, which steadies the training (MoCo v3, Sec. 5).

    Weights and biases of the convolutions in the stem keep their (initial or pretrained) values;
    the norms after them go on learning.

    Args:
        backbone: An mmpretrain, mmseg or timm backbone.

    Returns:
        The frozen parameters.

    Raises:
        ValueError: No known stem with a convolution in it.
    """
    backbone = getattr(backbone, 'timm_model', backbone)
    for path in _STEMS:
        try:
            stem = backbone.get_submodule(path)
        except AttributeError:
            continue
        convolutions = [module for module in stem.modules() if isinstance(module, nn.Conv2d)]
        frozen = [parameter for conv in convolutions for parameter in conv.parameters()]
        if frozen:
            for parameter in frozen:
                parameter.requires_grad_(False)
            return frozen
    raise ValueError(
        f'stop_grad_conv1: no first convolution found in {type(backbone).__name__} '
        f'(looked for {", ".join(_STEMS)}); set stop_grad_conv1=False'
    )
