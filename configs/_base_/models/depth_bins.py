"""Adaptive bins in BinsFormer's frame, 64 bins, 9 decoder layers; SILog x 10; flip test.

See :class:`semcl_mm.downstream.depth.AdaptiveBinsDepthHead` for what is BinsFormer's and what is not. A leaf fills in
``backbone``, ``in_channels`` and ``max_depth``.
"""

from mmseg.engine import SegVisualizationHook
from mmseg.models import SegDataPreProcessor
from mmseg.visualization import SegLocalVisualizer

from semcl_mm.downstream.depth import AdaptiveBinsDepthHead, DepthEstimator
from semcl_mm.losses import SILogLoss

norm_cfg = dict(type='BN', requires_grad=True)

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
        type=AdaptiveBinsDepthHead,
        num_bins=64,
        embed_dims=256,
        num_layers=9,
        num_heads=8,
        in_channels=None,
        in_index=[0, 1, 2, 3],
        pool_scales=(1, 2, 3, 6),
        channels=256,
        dropout_ratio=0.0,
        norm_cfg=norm_cfg,
        align_corners=False,
        max_depth=None,
        loss_decode=dict(type=SILogLoss, variance_focus=0.85, loss_weight=10.0),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole', flip=True),
)

# what tools/test.py --show-dir paints with
prediction_painter = dict(
    hook=dict(type=SegVisualizationHook, draw=True, interval=1),
    visualizer=dict(type=SegLocalVisualizer),
)
