"""The linear protocol: one 1 x 1 convolution on the last stage of a backbone that is frozen.

A leaf fills in ``in_channels`` and ``num_classes``. ``in_index=[2, 3]`` with two ``in_channels``
takes two stages.
"""

from mmseg.models import CrossEntropyLoss

from semcl_mm.downstream import FrozenEncoderDecoder, LinearHead

heads = dict(
    type=FrozenEncoderDecoder,
    decode_head=dict(
        type=LinearHead,
        in_channels=None,
        in_index=3,
        num_classes=None,
        align_corners=False,
        loss_decode=dict(type=CrossEntropyLoss, use_sigmoid=False, loss_weight=1.0),
    ),
)
