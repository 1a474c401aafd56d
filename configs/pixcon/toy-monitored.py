"""PixCon-SR on the toy world as in toy.py, watched: kNN, linear probe and collapse metrics every 100 updates.

The weights are those of toy.py, bit for bit. The log has monitor/knn_mIoU, monitor/effective_rank ….
    tools/train.py configs/pixcon/toy-monitored.py
"""

from mmengine.config import read_base

with read_base():
    from .._base_.backbones.resnet18_narrow import *
    from .._base_.datasets.views_toy import *
    from .._base_.default_runtime import *
    from .._base_.models.pixcon import *
    from .._base_.monitors.toy import *
    from .._base_.schedules.views_cpu import *

model.merge(
    dict(
        backbone=dict(backbone, out_indices=(3,), zero_init_residual=False),
        projector=dict(in_channels=backbone_channels[-1], hidden_channels=512),
        dense_projector=dict(in_channels=backbone_channels[-1], hidden_channels=512),
        predictor=dict(hidden_channels=512),
        dense_predictor=dict(hidden_channels=512),
        queue_size=256,
        reweight=True,
        mask='center',
    )
)
custom_hooks.append(feature_monitor)
default_hooks.merge(dict(logger=dict(interval=20), checkpoint=dict(interval=400)))
