"""ViT-S/16: 12 blocks of 384 channels, class token, learnt positions. (mmpretrain's 'small' is another network.)"""

from mmpretrain.models import VisionTransformer

backbone = dict(
    type=VisionTransformer, arch='deit-small', img_size=224, patch_size=16, out_indices=[11]
)
backbone_channels = 384
