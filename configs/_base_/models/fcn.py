"""The heads of a plain FCN: two 3 x 3 convolutions on the last stage, an auxiliary one on the third (0.4)."""

from mmseg.models import CrossEntropyLoss, FCNHead

_head = dict(
    type=FCNHead,
    in_channels=None,
    dropout_ratio=0.1,
    num_classes=None,
    norm_cfg=dict(type='BN', requires_grad=True),
    align_corners=False,
)
heads = dict(
    decode_head=dict(
        _head,
        in_index=3,
        channels=512,
        num_convs=2,
        concat_input=True,
        loss_decode=dict(type=CrossEntropyLoss, use_sigmoid=False, loss_weight=1.0),
    ),
    auxiliary_head=dict(
        _head,
        in_index=2,
        channels=256,
        num_convs=1,
        concat_input=False,
        loss_decode=dict(type=CrossEntropyLoss, use_sigmoid=False, loss_weight=0.4),
    ),
)
