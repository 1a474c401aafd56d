"""ResNet-50 of output stride 16, dilated in its last stage; keys and shapes are those of ResNet-50."""

from mmpretrain.models import ResNet

backbone = dict(
    type=ResNet,
    depth=50,
    strides=(1, 2, 2, 1),
    dilations=(1, 1, 1, 2),
    out_indices=(0, 1, 2, 3),
    norm_cfg=dict(type='BN', requires_grad=True),
    zero_init_residual=True,
)
backbone_channels = [256, 512, 1024, 2048]
