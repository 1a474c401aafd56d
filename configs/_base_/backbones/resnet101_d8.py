"""Dilated ResNet-101, stride 8, torchvision's layout; keys and shapes are those of ResNet-101.

The authors' own ResNet has a stem of three convolutions (``deep_stem``: what their configs have).
"""

from mmpretrain.models import ResNet, ResNetV1c

backbone = dict(
    type=ResNet,
    depth=101,
    strides=(1, 2, 1, 1),
    dilations=(1, 1, 2, 4),
    out_indices=(0, 1, 2, 3),
    norm_cfg=dict(type='BN', requires_grad=True),
    zero_init_residual=True,
)
backbone_channels = [256, 512, 1024, 2048]
deep_stem = dict(type=ResNetV1c, stem_channels=128)  # timm's resnet101s
