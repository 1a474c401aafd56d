"""UPerNet with mmseg's usual heads: 512 channels, auxiliary FCN on the third stage (weight 0.4).

A leaf fills in ``backbone``, ``in_channels`` and ``num_classes``.
"""

from mmseg.engine import SegVisualizationHook
from mmseg.models import CrossEntropyLoss, EncoderDecoder, FCNHead, SegDataPreProcessor, UPerHead
from mmseg.visualization import SegLocalVisualizer

norm_cfg = dict(type='BN', requires_grad=True)

model = dict(
    type=EncoderDecoder,
    data_preprocessor=dict(
        type=SegDataPreProcessor,
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_val=0,
        seg_pad_val=255,
        size=(512, 512),
        test_cfg=dict(size_divisor=32),
    ),
    backbone=None,
    decode_head=dict(
        type=UPerHead,
        in_channels=None,
        in_index=[0, 1, 2, 3],
        pool_scales=(1, 2, 3, 6),
        channels=512,
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
        channels=256,
        num_convs=1,
        concat_input=False,
        dropout_ratio=0.1,
        num_classes=None,
        norm_cfg=norm_cfg,
        align_corners=False,
        loss_decode=dict(type=CrossEntropyLoss, use_sigmoid=False, loss_weight=0.4),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)

# what tools/test.py --show-dir paints with
prediction_painter = dict(
    hook=dict(type=SegVisualizationHook, draw=True, interval=1),
    visualizer=dict(type=SegLocalVisualizer),
)
