"""UPerNet with one output on a plain ViT whose blocks become a pyramid; berHu + 0.1 x smoothness.

Local-to-global paper, §4.3 (the weight of the smoothness is not stated there). A leaf fills in ``backbone``
(``out_type='featmap'``, four ``out_indices``), ``neck.embed_dim``, ``in_channels`` and ``max_depth``.
"""

from mmseg.engine import SegVisualizationHook
from mmseg.models import SegDataPreProcessor
from mmseg.models.necks import Feature2Pyramid
from mmseg.visualization import SegLocalVisualizer

from semcl_mm.downstream.depth import DepthEstimator, UPerDepthHead
from semcl_mm.losses import BerHuLoss, GradientSmoothnessLoss

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
    neck=dict(type=Feature2Pyramid, embed_dim=None, rescales=[4, 2, 1, 0.5], norm_cfg=norm_cfg),
    decode_head=dict(
        type=UPerDepthHead,
        in_channels=None,
        in_index=[0, 1, 2, 3],
        pool_scales=(1, 2, 3, 6),
        channels=512,
        dropout_ratio=0.0,
        norm_cfg=norm_cfg,
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
