"""ViT-B/16: 12 blocks of 768 channels, class token, learnt positions. (mmpretrain's 'base' is another network.)"""

from mmpretrain.models import VisionTransformer

backbone = dict(
    type=VisionTransformer, arch='deit-base', img_size=224, patch_size=16, out_indices=[11]
)
backbone_channels = 768
