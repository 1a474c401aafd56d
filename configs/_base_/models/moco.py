"""MoCo v2: an MLP without norms, ShuffleBN (so ``sync_bn = None`` in the leaf), a queue of 65,536.

A leaf fills in ``backbone`` and ``projector.in_channels``.
"""

from semcl_mm.models import MLPHead, MoCo, ViewDataPreprocessor

model = dict(
    type=MoCo,
    data_preprocessor=dict(
        type=ViewDataPreprocessor, mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]
    ),
    backbone=None,
    projector=dict(
        type=MLPHead,
        in_channels=None,
        hidden_channels=2048,
        out_channels=128,
        bias=True,
        hidden_norm=False,
        last_norm=False,
    ),
    queue_size=65536,
    temperature=0.2,
    shuffle_bn=True,
)
