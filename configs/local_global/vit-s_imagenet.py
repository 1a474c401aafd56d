"""Local-to-global pretraining of ViT-S/16 on ImageNet-1k, 224 x 224, 300 epochs, batch 2048 (16 GPUs x 128).

arXiv 2205.15173, §4.1: AdamW, base lr 1e-4 linear in the batch, cosine, 5 % warm-up, SimCLR's views, per-device
negatives. Fine-tuned on ADE20K (Table 1): 42.8 (linear), 43.2 (UPerNet) mIoU. Not stated in the paper: see
the headers of the model's and the schedule's bases.
    NNODES=2 tools/dist_train.sh configs/local_global/vit-s_imagenet.py 8
"""

from mmengine.config import read_base

from semcl_mm.datasets import SIMCLR_VIEWS

with read_base():
    from .._base_.backbones.vit_small import *
    from .._base_.datasets.views_imagenet import *
    from .._base_.default_runtime import *
    from .._base_.models.local_to_global import *
    from .._base_.schedules.local_to_global_300e import *

model.merge(
    dict(backbone=dict(backbone, out_type='raw'), projector=dict(in_channels=backbone_channels))
)
train_dataloader.merge(
    dict(sampler=dict(infinite=True), dataset=dict(views=SIMCLR_VIEWS, min_overlap=0.0))
)
default_hooks.merge(dict(checkpoint=dict(interval=12500)))
auto_scale_lr = dict(enable=False, base_batch_size=2048)
