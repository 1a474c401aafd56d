"""Local-to-global contrast of ViTs (arXiv 2205.15173): temperature 0.1, negatives per device.

Not stated in the paper: the widths of the MLP (here 2048, 2048, 256, without norm) and that both
directions are averaged. A leaf fills in ``backbone`` (``out_type='raw'``) and
``projector.in_channels``.
"""

from semcl_mm.losses import LocalToGlobalInfoNCELoss
from semcl_mm.models import LocalToGlobal, TokenMLP, ViewDataPreprocessor

model = dict(
    type=LocalToGlobal,
    data_preprocessor=dict(
        type=ViewDataPreprocessor, mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]
    ),
    backbone=None,
    projector=dict(
        type=TokenMLP, in_channels=None, hidden_channels=2048, out_channels=256, num_layers=3
    ),
    loss=dict(type=LocalToGlobalInfoNCELoss, temperature=0.1),
    symmetric=True,
    gather=False,
)
