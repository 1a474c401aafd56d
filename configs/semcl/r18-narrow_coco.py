"""SemCL on COCO's objects with a half-width ResNet-18, 96 x 96 views, 600 updates of 16 pairs: for a CPU.

Not in the paper; a pretraining of tools/experiments/dense_camvid.sh. A sample of COCO has annotations and no stuff
maps; with tools/dataset_converters/build_pair_index.py:
    build_pair_index.py coco data/coco --out data/semcl/coco.pairs
    tools/train.py configs/semcl/r18-narrow_coco.py
"""

from mmengine.config import read_base

with read_base():
    from .._base_.backbones.resnet18_narrow import *
    from .._base_.datasets.pairs_coco import *
    from .._base_.default_runtime import *
    from .._base_.models.semcl_resnet import *
    from .._base_.schedules.semcl_30k import *

model.merge(
    dict(
        backbone=dict(backbone, out_indices=(3,)),
        projector=dict(in_channels=backbone_channels[-1], hidden_channels=512, out_channels=128),
        predictor=dict(in_channels=128, hidden_channels=512, out_channels=128),
    )
)
train_dataloader.merge(dict(batch_size=16, num_workers=1, dataset=dict(size=96)))
train_cfg.merge(dict(max_iters=600))
optim_wrapper.merge(dict(optimizer=dict(lr=1e-3)))
default_hooks.merge(dict(logger=dict(interval=20), checkpoint=dict(interval=600)))
auto_scale_lr = dict(enable=False, base_batch_size=16)
