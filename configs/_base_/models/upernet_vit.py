"""UPerNet on a plain ViT: four of its blocks become a pyramid of strides 4, 8, 16 and 32 (BEiT's neck).

Two transposed convolutions, one, none, and a max-pooling rescale the blocks' stride of 16. A leaf
fills in ``backbone`` (``out_type='featmap'``, four ``out_indices``), ``neck.embed_dim``,
``in_channels`` and ``num_classes``.
"""

from mmseg.engine import SegVisualizationHook
from mmseg.models import CrossEntropyLoss, FCNHead, SegDataPreProcessor, UPerHead
from mmseg.models.necks import Feature2Pyramid
from mmseg.visualization import SegLocalVisualizer

from semcl_mm.downstream import LayeredEncoderDecoder

norm_cfg = dict(type='BN', requires_grad=True)

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
    neck=dict(type=Feature2Pyramid, embed_dim=None, rescales=[4, 2, 1, 0.5], norm_cfg=norm_cfg),
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
    test_cfg=dict(mode='slide', crop_size=(512, 512), stride=(341, 341)),
)

# what tools/test.py --show-dir paints with
prediction_painter = dict(
    hook=dict(type=SegVisualizationHook, draw=True, interval=1),
    visualizer=dict(type=SegLocalVisualizer),
)
