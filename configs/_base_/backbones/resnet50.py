"""ResNet-50, torchvision's layout (stride in the 3x3 convolution), BN synchronised by the runner."""

from mmpretrain.models import ResNet

backbone = dict(
    type=ResNet,
    depth=50,
    out_indices=(0, 1, 2, 3),
    norm_cfg=dict(type='BN', requires_grad=True),
    zero_init_residual=True,
)
backbone_channels = [256, 512, 1024, 2048]
