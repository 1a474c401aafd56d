"""SemCL, ResNet-18 on CamVid, 224 x 224, 5k updates of 16 pairs: a real pretraining for one small GPU.

Not in the paper. Cost: 5k updates of 16 pairs, each 3 views x 2 roles through both encoders.
    tools/train.py configs/semcl/r18_camvid.py
"""

from mmengine.config import read_base

with read_base():
    from .._base_.backbones.resnet18 import *
    from .._base_.datasets.pairs_camvid import *
    from .._base_.default_runtime import *
    from .._base_.models.semcl_resnet import *
    from .._base_.schedules.semcl_30k import *

model.merge(
    dict(
        backbone=dict(backbone, out_indices=(3,)),
        projector=dict(in_channels=backbone_channels[-1]),
    )
)
train_cfg.merge(dict(max_iters=5000))
optim_wrapper.merge(dict(optimizer=dict(lr=2e-4)))
