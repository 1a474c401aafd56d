"""Swin-Small (window 7). One file for pretraining and for every downstream task."""

from mmpretrain.models import SwinTransformer

backbone = dict(
    type=SwinTransformer,
    arch='small',
    img_size=224,
    drop_path_rate=0.2,
    out_indices=(0, 1, 2, 3),
    pad_small_map=True,
)
backbone_channels = [96, 192, 384, 768]
