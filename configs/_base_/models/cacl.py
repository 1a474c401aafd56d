"""CACL (AAAI 2022): three heads of 128 channels, three queues of 16,384, temperature 0.07.

A leaf fills in ``backbone`` (output stride 8) and ``head.in_channels``, and sets ``sync_bn = None``:
the batch norms stay each process's own, for ShuffleBN mixes the keys.
"""

from semcl_mm.models import CACL, DenseMLPHead, ViewDataPreprocessor

model = dict(
    type=CACL,
    data_preprocessor=dict(
        type=ViewDataPreprocessor, mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]
    ),
    backbone=None,
    head=dict(type=DenseMLPHead, in_channels=None, out_channels=128),
    heads=('global', 'pixel', 'cycle'),
    queue_size=16384,
    queue_dtype='float32',
    temperature=0.07,
    match='global',
    cycle_target='cross',
    pixel_shuffle=True,
    queued_cells=1,
    shuffle_bn=True,
    output_stride=8,
)
