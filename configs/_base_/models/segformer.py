"""SegFormer's head: all four maps at stride 4, 256 channels each."""

from mmseg.models import CrossEntropyLoss, SegformerHead

heads = dict(
    decode_head=dict(
        type=SegformerHead,
        in_channels=None,
        in_index=[0, 1, 2, 3],
        channels=256,
        dropout_ratio=0.1,
        num_classes=None,
        norm_cfg=dict(type='BN', requires_grad=True),
        align_corners=False,
        loss_decode=dict(type=CrossEntropyLoss, use_sigmoid=False, loss_weight=1.0),
    ),
)
