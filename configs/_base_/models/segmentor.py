"""A segmentor without its heads: another base's ``heads`` are merged into ``model``.

A leaf fills in ``backbone`` and what the heads leave open. Images are tested whole, unpadded.
"""

from mmseg.engine import SegVisualizationHook
from mmseg.models import EncoderDecoder, SegDataPreProcessor
from mmseg.visualization import SegLocalVisualizer

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
    ),
    backbone=None,
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)

# what tools/test.py --show-dir paints with
prediction_painter = dict(
    hook=dict(type=SegVisualizationHook, draw=True, interval=1),
    visualizer=dict(type=SegLocalVisualizer),
)
