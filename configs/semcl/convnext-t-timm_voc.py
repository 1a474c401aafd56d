"""SemCL with a backbone from timm: ConvNeXt-T on SemCL-VOC, 14,203 pairs.

Any other model of timm: change ``model_name`` and ``in_channels``.
Cost: 30k updates of 64 pairs, each 3 views x 2 roles of 224 x 224 through both encoders.
Starts from timm's ImageNet-22k weights (``convnext_tiny.fb_in22k``):
    tools/dist_train.sh configs/semcl/convnext-t-timm_voc.py 4 --pretrained convnext_tiny.fb_in22k.safetensors
Without that option the weights are random, and the log and the record say so.
"""

from mmengine.config import read_base

from semcl_mm.models import TimmBackbone

with read_base():
    from .._base_.datasets.pairs_voc import *
    from .._base_.default_runtime import *
    from .._base_.models.semcl_swin import *
    from .._base_.schedules.semcl_30k import *

model.merge(
    dict(
        backbone=dict(
            type=TimmBackbone, model_name='convnext_tiny', out_indices=(-1,), drop_path_rate=0.1
        ),
        projector=dict(in_channels=768),
    )
)
