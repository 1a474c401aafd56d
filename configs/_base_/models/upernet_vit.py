"""UPerNet on a plain ViT: four of its blocks become a pyramid of strides 4, 8, 16 and 32 (BEiT's neck).

Two transposed convolutions, one, none, and a max-pooling rescale the blocks' stride of 16. A leaf
fills in ``neck.embed_dim``, ``in_channels`` and ``num_classes``; its backbone has
``out_type='featmap'`` and four ``out_indices``. Windows slide as in linear_vit.
"""

from mmseg.models import CrossEntropyLoss, FCNHead, UPerHead
from mmseg.models.necks import Feature2Pyramid

from semcl_mm.downstream import LayeredEncoderDecoder

norm_cfg = dict(type='BN', requires_grad=True)

heads = dict(
    type=LayeredEncoderDecoder,
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
    test_cfg=dict(mode='slide', crop_size=(512, 512), stride=(341, 341)),
)
