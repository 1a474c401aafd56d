"""ResNet-18 of output stride 8: no stride in its last two stages, dilations 2 and 4 instead.

Keys and shapes are those of the plain ResNet-18, so checkpoints fit both. A frozen backbone must be
dilated as it was in pretraining: mmpretrain's ResNet dilates every block of a stage alike, mmseg's
``contract_dilation=True`` does not.
"""

from mmpretrain.models import ResNet

backbone = dict(
    type=ResNet,
    depth=18,
    strides=(1, 2, 1, 1),
    dilations=(1, 1, 2, 4),
    out_indices=(0, 1, 2, 3),
    norm_cfg=dict(type='BN', requires_grad=True),
    zero_init_residual=False,  # as MoCo v2 and torchvision
)
backbone_channels = [64, 128, 256, 512]
