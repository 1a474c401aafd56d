"""The cascade of OCR on a dilated ResNet: coarse classes from the third stage (weight 0.4), then OCR."""

from mmseg.models import CascadeEncoderDecoder, CrossEntropyLoss, FCNHead, OCRHead

norm_cfg = dict(type='BN', requires_grad=True)

heads = dict(
    type=CascadeEncoderDecoder,
    num_stages=2,
    decode_head=[
        dict(
            type=FCNHead,
            in_channels=None,
            in_index=2,
            channels=512,
            num_convs=1,
            concat_input=False,
            dropout_ratio=0.05,
            num_classes=None,
            norm_cfg=norm_cfg,
            align_corners=False,
            loss_decode=dict(type=CrossEntropyLoss, use_sigmoid=False, loss_weight=0.4),
        ),
        dict(
            type=OCRHead,
            in_channels=None,
            in_index=3,
            channels=512,
            ocr_channels=256,
            dropout_ratio=0.05,
            num_classes=None,
            norm_cfg=norm_cfg,
            align_corners=False,
            loss_decode=dict(type=CrossEntropyLoss, use_sigmoid=False, loss_weight=1.0),
        ),
    ],
)
