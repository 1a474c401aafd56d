"""ResNet-18: small enough to train on a laptop."""

from mmpretrain.models import ResNet

backbone = dict(
    type=ResNet,
    depth=18,
    out_indices=(0, 1, 2, 3),
    norm_cfg=dict(type='BN', requires_grad=True),
    zero_init_residual=True,
)
backbone_channels = [64, 128, 256, 512]
