"""One 1 x 1 convolution on the last tokens of a plain ViT, which is trained as a whole.

A leaf fills in ``in_channels`` and ``num_classes``; its backbone has ``out_type='featmap'``. Windows
of the training size slide over the image with a third of overlap, as is usual for plain ViTs.
"""

from mmseg.models import CrossEntropyLoss

from semcl_mm.downstream import LayeredEncoderDecoder, LinearHead

heads = dict(
    type=LayeredEncoderDecoder,
    decode_head=dict(
        type=LinearHead,
        in_channels=None,
        in_index=0,
        num_classes=None,
        align_corners=False,
        loss_decode=dict(type=CrossEntropyLoss, use_sigmoid=False, loss_weight=1.0),
    ),
    test_cfg=dict(mode='slide', crop_size=(512, 512), stride=(341, 341)),
)
