"""ResNet-18 at half width: the toy world's backbone, trained in minutes on two CPU cores."""

from mmpretrain.models import ResNet

backbone = dict(
    type=ResNet,
    depth=18,
    stem_channels=32,
    base_channels=32,
    out_indices=(0, 1, 2, 3),
    norm_cfg=dict(type='BN', requires_grad=True),
    zero_init_residual=True,
)
backbone_channels = [32, 64, 128, 256]
