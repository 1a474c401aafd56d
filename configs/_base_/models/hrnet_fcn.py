"""HRNet's head: all four maps at stride 4, one 3 x 3 convolution of 720 channels, the classes.

The authors of pixel contrast have this one; HRNet's own paper has a 1 x 1 convolution.
"""

from mmseg.models import CrossEntropyLoss, FCNHead

heads = dict(
    decode_head=dict(
        type=FCNHead,
        in_channels=None,
        in_index=[0, 1, 2, 3],
        input_transform='resize_concat',
        channels=720,
        num_convs=1,
        kernel_size=3,
        concat_input=False,
        dropout_ratio=0.1,
        num_classes=None,
        norm_cfg=dict(type='BN', requires_grad=True),
        align_corners=False,
        loss_decode=dict(type=CrossEntropyLoss, use_sigmoid=False, loss_weight=1.0),
    ),
)
