"""SemCL with the heads of its Swin Transformers (paper §3; heads and symmetric, cyclic loss: authors' code).

A leaf fills in ``backbone`` and ``projector.in_channels``.
"""

from semcl_mm.losses import PairedInfoNCELoss
from semcl_mm.models import MLPHead, PairDataPreprocessor, SemCL

model = dict(
    type=SemCL,
    data_preprocessor=dict(
        type=PairDataPreprocessor, mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]
    ),
    backbone=None,
    projector=dict(
        type=MLPHead, in_channels=None, hidden_channels=4096, out_channels=256, num_layers=3
    ),
    predictor=dict(type=MLPHead, in_channels=256, hidden_channels=4096, out_channels=256),
    loss=dict(type=PairedInfoNCELoss, temperature=0.2, pairing='cyclic'),
    symmetric=True,
    stop_grad_conv1=False,
)
