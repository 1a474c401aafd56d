"""ResNet-18 at half width and output stride 8: dense methods on a CPU. Weights fit the plain one."""

from mmpretrain.models import ResNet

backbone = dict(
    type=ResNet,
    depth=18,
    stem_channels=32,
    base_channels=32,
    strides=(1, 2, 1, 1),
    dilations=(1, 1, 2, 4),
    out_indices=(0, 1, 2, 3),
    norm_cfg=dict(type='BN', requires_grad=True),
    zero_init_residual=True,
)
backbone_channels = [32, 64, 128, 256]
