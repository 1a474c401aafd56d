"""MoCo v2+ as PixCon's authors train it: norms in the heads, a predictor, both views ask.

2048 -> 2048 -> 128 and lr 0.4 as PixCon; MoCo v2+ itself has 4096 -> 256. BYOL is the same with
``image_loss='cosine'``. A leaf fills in ``backbone`` and ``projector.in_channels``.
"""

from semcl_mm.models import MLPHead, MoCo, ViewDataPreprocessor

_head = dict(type=MLPHead, hidden_channels=2048, out_channels=128, bias=True, last_norm=False)

model = dict(
    type=MoCo,
    data_preprocessor=dict(
        type=ViewDataPreprocessor, mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]
    ),
    backbone=None,
    projector=dict(_head, in_channels=None),
    predictor=dict(_head, in_channels=128),
    queue_size=65536,
    temperature=0.2,
    symmetric=True,
)
