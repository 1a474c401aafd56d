"""SemCL (ICCV 2023), R50 on SemCL-VOC, 14,203 pairs, unpaired InfoNCE.

The ablation of Fig. 3: negatives are the other objects of the batch, never the object's own environment.
Cost: 30k updates of 64 pairs, each 3 views x 2 roles of 224 x 224 through both encoders.
Starts from the MoCo v3 ImageNet checkpoint (1000 epochs), projector, predictor and momentum encoder included:
    tools/model_converters/to_mm.py r-50-1000ep.pth.tar checkpoints/mocov3_r50_full.pth --full
    tools/dist_train.sh configs/semcl/r50_voc_unpaired.py 4 --cfg-options load_from=checkpoints/mocov3_r50_full.pth
Without that option the weights are random, and the log and the record say so.
"""

from mmengine.config import read_base

from semcl_mm.models import UnpairedInfoNCELoss

with read_base():
    from .._base_.backbones.resnet50 import *
    from .._base_.datasets.pairs_voc import *
    from .._base_.default_runtime import *
    from .._base_.models.semcl_resnet import *
    from .._base_.schedules.semcl_30k import *

expected_start = 'imagenet'
model.merge(
    dict(
        backbone=dict(backbone, out_indices=(3,)),
        projector=dict(in_channels=backbone_channels[-1]),
    )
)
model.loss = dict(type=UnpairedInfoNCELoss, temperature=0.2)
