"""The head of MoCo's segmentation protocol: two 3 x 3 convolutions of 256 channels, dilation 6, then 1 x 1."""

from mmseg.models import CrossEntropyLoss, FCNHead

heads = dict(
    decode_head=dict(
        type=FCNHead,
        in_channels=None,
        in_index=3,
        channels=256,
        num_convs=2,
        dilation=6,
        concat_input=False,
        dropout_ratio=0,
        num_classes=None,
        norm_cfg=dict(type='BN', requires_grad=True),
        align_corners=True,
        loss_decode=dict(type=CrossEntropyLoss, use_sigmoid=False, loss_weight=1.0),
    ),
)
