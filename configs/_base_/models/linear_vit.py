"""A plain ViT with one 1 x 1 convolution on its last tokens, trained as a whole.

A leaf fills in ``backbone`` (``out_type='featmap'``), ``in_channels`` and ``num_classes``. Windows
of the training size slide over the image with a third of overlap, as is usual for plain ViTs.
"""

from mmseg.engine import SegVisualizationHook
from mmseg.models import CrossEntropyLoss, SegDataPreProcessor
from mmseg.visualization import SegLocalVisualizer

from semcl_mm.downstream import LayeredEncoderDecoder, LinearHead

model = dict(
    type=LayeredEncoderDecoder,
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
    decode_head=dict(
        type=LinearHead,
        in_channels=None,
        in_index=0,
        num_classes=None,
        align_corners=False,
        loss_decode=dict(type=CrossEntropyLoss, use_sigmoid=False, loss_weight=1.0),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='slide', crop_size=(512, 512), stride=(341, 341)),
)

# what tools/test.py --show-dir paints with
prediction_painter = dict(
    hook=dict(type=SegVisualizationHook, draw=True, interval=1),
    visualizer=dict(type=SegLocalVisualizer),
)
