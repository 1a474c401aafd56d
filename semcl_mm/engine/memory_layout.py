"""How the memory of convolutions is laid out."""

import torch
from torch import nn

__all__ = ['to_channels_last']


def to_channels_last(model: nn.Module) -> nn.Module:
    """Lays a model's convolution weights out as NHWC, in place; feature maps follow them.

    Raises:
        ValueError: it holds one of mmcv's own operators, which read such memory as if it were
            NCHW, without a word.
    """
    for name, module in model.named_modules():
        if type(module).__module__.startswith('mmcv.ops'):
            raise ValueError(
                f'channels_last: {name} is a {type(module).__name__} of mmcv, which needs '
                'channels_last=False'
            )
    return model.to(memory_format=torch.channels_last)
