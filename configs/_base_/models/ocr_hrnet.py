"""The cascade of OCR on HRNet: both heads see all four maps at stride 4 (coarse classes weigh 0.4)."""

from mmseg.models import CascadeEncoderDecoder, CrossEntropyLoss, FCNHead, OCRHead

norm_cfg = dict(type='BN', requires_grad=True)

heads = dict(
    type=CascadeEncoderDecoder,
    num_stages=2,
    decode_head=[
        dict(
            type=FCNHead,
            in_channels=None,
            in_index=[0, 1, 2, 3],
            input_transform='resize_concat',
            channels=720,
            num_convs=1,
            kernel_size=3,
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
            in_index=[0, 1, 2, 3],
            input_transform='resize_concat',
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
