"""HRNetV2-W48: four maps at strides 4 to 32, 720 channels together.

mmsegmentation's class: mmpretrain's has the same keys, but doubles maps instead of resizing them and
stops at crops that 32 does not divide (520 x 520).
"""

from mmseg.models import HRNet

backbone = dict(
    type=HRNet,
    norm_cfg=dict(type='BN', requires_grad=True),
    norm_eval=False,
    extra=dict(
        stage1=dict(
            num_modules=1, num_branches=1, block='BOTTLENECK', num_blocks=(4,), num_channels=(64,)
        ),
        stage2=dict(
            num_modules=1, num_branches=2, block='BASIC', num_blocks=(4, 4), num_channels=(48, 96)
        ),
        stage3=dict(
            num_modules=4,
            num_branches=3,
            block='BASIC',
            num_blocks=(4, 4, 4),
            num_channels=(48, 96, 192),
        ),
        stage4=dict(
            num_modules=3,
            num_branches=4,
            block='BASIC',
            num_blocks=(4, 4, 4, 4),
            num_channels=(48, 96, 192, 384),
        ),
    ),
)
backbone_channels = [48, 96, 192, 384]
