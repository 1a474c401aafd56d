"""SemCL (ICCV 2023), Swin-T on SemCL-VOC, 14,203 pairs, batch 32.

Batch-size ablation: the learning rate follows the batch, 1.5e-4 x 32 / 256.
Cost: 30k updates of 32 pairs, each 3 views x 2 roles of 224 x 224 through both encoders.
Starts from the official ImageNet-22k weights:
    tools/model_converters/to_mm.py swin_tiny_patch4_window7_224_22k.pth checkpoints/swin_tiny_in22k.pth
    tools/dist_train.sh configs/semcl/swin-t_voc_b32.py 4 --pretrained checkpoints/swin_tiny_in22k.pth
Without that option the weights are random, and the log and the record say so.
"""

from mmengine.config import read_base

with read_base():
    from .._base_.backbones.swin_tiny import *
    from .._base_.datasets.pairs_voc import *
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
train_dataloader.merge(dict(batch_size=8))
optim_wrapper.merge(dict(optimizer=dict(lr=1.875e-05)))
auto_scale_lr = dict(enable=False, base_batch_size=32)
