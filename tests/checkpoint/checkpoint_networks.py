"""Networks with weights that no implementation could confuse."""

import torch
from mmpretrain.models import ResNet
from torch import nn

SWIN = {'embed_dims': 24, 'depths': [1, 1, 2, 1], 'num_heads': [1, 2, 4, 8]}
VIT = {'embed_dims': 128, 'num_layers': 2, 'num_heads': 2, 'feedforward_channels': 256}
CONVNEXT = {'depths': [1, 2, 1, 1], 'channels': [8, 16, 24, 32]}


@torch.no_grad()
def randomise(model: nn.Module, seed: int = 0) -> nn.Module:
    """Random values in every parameter and statistic: ones and zeros would hide a swap."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in model.state_dict().items():
        if not tensor.is_floating_point():
            continue
        noise = torch.randn(tensor.shape, generator=generator)
        if name.endswith('running_var'):
            tensor.copy_(1 + noise.abs())
        elif tensor.ndim > 1:
            tensor.copy_(noise / tensor[0].numel() ** 0.5)
        else:
            tensor.copy_(1 + 0.3 * noise if name.endswith('weight') else 0.3 * noise)
    model.eval()
    return model


def small_resnet(depth: int = 18, cls: type[ResNet] = ResNet, **kwargs) -> ResNet:
    """A narrow ResNet: the same names as torchvision's, a hundredth of the numbers."""
    return cls(depth=depth, stem_channels=8, base_channels=8, **kwargs)
