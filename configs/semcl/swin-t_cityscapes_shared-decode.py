"""SemCL (ICCV 2023), Swin-T on SemCL-City, 20,280 pairs, decode shared between the pairs of an image.

Up to four pairs of an image follow each other, so that each 2048 x 1024 PNG is decoded once per group
(tools/benchmarks/pair_views.py shows the gain); a batch then holds fewer images than the paper's.
Cost: 30k updates of 64 pairs, each 3 views x 2 roles of 224 x 224 through both encoders.
Starts from the official ImageNet-22k weights:
    tools/model_converters/to_mm.py swin_tiny_patch4_window7_224_22k.pth checkpoints/swin_tiny_in22k.pth
    tools/dist_train.sh configs/semcl/swin-t_cityscapes_shared-decode.py 4 --pretrained checkpoints/swin_tiny_in22k.pth
Without that option the weights are random, and the log and the record say so.
"""

from mmengine.config import read_base

with read_base():
    from .._base_.backbones.swin_tiny import *
    from .._base_.datasets.pairs_cityscapes import *
    from .._base_.default_runtime import *
    from .._base_.models.semcl_swin import *
    from .._base_.schedules.semcl_30k import *

expected_start = 'imagenet'
model.merge(
    dict(
        backbone=dict(backbone, out_indices=(3,)),
        projector=dict(in_channels=backbone_channels[-1]),
    )
)
train_dataloader.merge(dict(sampler=dict(pairs_per_image=4)))
