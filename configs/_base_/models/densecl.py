"""DenseCL: MoCo v2's head and the same for cells, ShuffleBN (so ``sync_bn = None`` in the leaf).

A leaf fills in ``backbone`` and both ``in_channels``.
"""

from semcl_mm.models import DenseCL, DenseMLPHead, MLPHead, ViewDataPreprocessor

model = dict(
    type=DenseCL,
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
    dense_projector=dict(
        type=DenseMLPHead, in_channels=None, hidden_channels=2048, out_channels=128
    ),
    queue_size=65536,
    temperature=0.2,
    dense_weight=0.5,
    shuffle_bn=True,
)
