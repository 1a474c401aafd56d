"""The heads of DeepLabV3: ASPP (12, 24, 36) on the last stage, auxiliary FCN on the third (0.4)."""

from mmseg.models import ASPPHead, CrossEntropyLoss, FCNHead

norm_cfg = dict(type='BN', requires_grad=True)

heads = dict(
    decode_head=dict(
        type=ASPPHead,
        in_channels=None,
        in_index=3,
        channels=512,
        dilations=(1, 12, 24, 36),
        dropout_ratio=0.1,
        num_classes=None,
        norm_cfg=norm_cfg,
        align_corners=False,
        loss_decode=dict(type=CrossEntropyLoss, use_sigmoid=False, loss_weight=1.0),
    ),
    auxiliary_head=dict(
        type=FCNHead,
        in_channels=None,
        in_index=2,
        channels=512,
        num_convs=1,
        concat_input=False,
        dropout_ratio=0.1,
        num_classes=None,
        norm_cfg=norm_cfg,
        align_corners=False,
        loss_decode=dict(type=CrossEntropyLoss, use_sigmoid=False, loss_weight=0.4),
    ),
)
