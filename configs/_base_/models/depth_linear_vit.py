"""A plain ViT and transposed convolutions with nothing between them; berHu + 0.1 x smoothness.

Local-to-global paper, §4.3 (the weight of the smoothness is not stated there). A leaf fills in ``backbone``
(``out_type='featmap'``), ``in_channels`` and ``max_depth``.
"""

from mmseg.engine import SegVisualizationHook
from mmseg.models import SegDataPreProcessor
from mmseg.visualization import SegLocalVisualizer

from semcl_mm.downstream.depth import DepthEstimator, LinearDepthHead
from semcl_mm.losses import BerHuLoss, GradientSmoothnessLoss

model = dict(
    type=DepthEstimator,
    data_preprocessor=dict(
        type=SegDataPreProcessor,
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_val=0,
        seg_pad_val=0,  # no depth
        size=(416, 544),
        test_cfg=dict(size_divisor=32),
    ),
    backbone=None,
    decode_head=dict(
        type=LinearDepthHead,
        in_channels=None,
        in_index=0,
        num_upsamplings=4,
        align_corners=False,
        max_depth=None,
        loss_decode=[
            dict(type=BerHuLoss, threshold=0.2),
            dict(type=GradientSmoothnessLoss, loss_weight=0.1),
        ],
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole', flip=False),
)

# what tools/test.py --show-dir paints with
prediction_painter = dict(
    hook=dict(type=SegVisualizationHook, draw=True, interval=1),
    visualizer=dict(type=SegLocalVisualizer),
)
