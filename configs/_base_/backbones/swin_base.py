"""Swin-Base (window 7). One file for pretraining and for every downstream task."""

from mmpretrain.models import SwinTransformer

backbone = dict(
    type=SwinTransformer,
    arch='base',
    img_size=224,
    drop_path_rate=0.2,
    out_indices=(0, 1, 2, 3),
    pad_small_map=True,
)
backbone_channels = [128, 256, 512, 1024]
