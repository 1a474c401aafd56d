"""A ViT for a CPU: 4 blocks of 128 channels, 2 heads, patches of 8 x 8 pixels."""

from mmpretrain.models import VisionTransformer

backbone = dict(
    type=VisionTransformer,
    arch=dict(embed_dims=128, num_layers=4, num_heads=2, feedforward_channels=512),
    img_size=96,
    patch_size=8,
    out_indices=[3],
)
backbone_channels = 128
