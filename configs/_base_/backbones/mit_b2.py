"""SegFormer's encoder, size B2: four maps at strides 4 to 32."""

from mmseg.models import MixVisionTransformer

backbone = dict(
    type=MixVisionTransformer,
    in_channels=3,
    embed_dims=64,
    num_stages=4,
    num_layers=[3, 4, 6, 3],
    num_heads=[1, 2, 5, 8],
    patch_sizes=[7, 3, 3, 3],
    sr_ratios=[8, 4, 2, 1],
    out_indices=(0, 1, 2, 3),
    mlp_ratio=4,
    qkv_bias=True,
    drop_rate=0.0,
    attn_drop_rate=0.0,
    drop_path_rate=0.1,
)
backbone_channels = [64, 128, 320, 512]
