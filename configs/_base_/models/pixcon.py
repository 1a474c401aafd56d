"""PixCon-Sim; ``reweight=True`` makes it PixCon-SR, ``match='roi_align'`` PixCon-Coord.

Projectors and predictors for images and for cells: 2048 -> 2048 -> 128 and 128 -> 2048 -> 128, with
bias and a synchronised batch norm between. A leaf fills in ``backbone`` and both ``in_channels``.
"""

from semcl_mm.models import DenseMLPHead, MLPHead, PixCon, ViewDataPreprocessor

_head = dict(type=MLPHead, hidden_channels=2048, out_channels=128, bias=True, last_norm=False)
_dense_head = dict(
    type=DenseMLPHead, hidden_channels=2048, out_channels=128, norm_cfg=dict(type='BN')
)

model = dict(
    type=PixCon,
    data_preprocessor=dict(
        type=ViewDataPreprocessor, mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]
    ),
    backbone=None,
    projector=dict(_head, in_channels=None),
    predictor=dict(_head, in_channels=128),
    dense_projector=dict(_dense_head, in_channels=None),
    dense_predictor=dict(_dense_head, in_channels=128),
    queue_size=65536,
    temperature=0.2,
    dense_weight=0.5,
    symmetric=True,
    match='similarity',
    reweight=False,
    mask='floor',
)
