"""ViT-Ti/16: 12 blocks of 192 channels, class token, learnt positions."""

from mmpretrain.models import VisionTransformer

backbone = dict(
    type=VisionTransformer, arch='deit-tiny', img_size=224, patch_size=16, out_indices=[11]
)
backbone_channels = 192
