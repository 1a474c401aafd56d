"""CACL on two crops of COCO's and VOC 2012's images, half-width ResNet-18, 96 x 96 views, 800 updates of 16 pairs: for a CPU.

Not in the paper: there are no videos, and no ``match='position'``, for the crops are cut apart. LARS is made for
batches of hundreds: here SGD. A small rate, a queue of a third of the images, the hard cycle and closed residual
branches for the reasons that docs/cacl.md gives.
    tools/train.py configs/cacl/r18-narrow_coco-voc.py
"""

from mmengine.config import read_base
from torch.optim import SGD

from semcl_mm.datasets import MOCO_VIEWS, FramePairDataset, StillFrames

with read_base():
    from .._base_.backbones.resnet18_narrow_os8 import *
    from .._base_.datasets.views_coco_voc import *
    from .._base_.default_runtime import *
    from .._base_.models.cacl import *
    from .._base_.schedules.cacl_200e import *

model.merge(
    dict(
        backbone=dict(backbone, out_indices=(3,), zero_init_residual=True),
        head=dict(in_channels=backbone_channels[-1]),
        queue_size=128,  # eight steps
        cycle_target='identity',
    )
)
train_dataloader.merge(
    dict(
        batch_size=16,
        num_workers=1,
        dataset=dict(
            _delete_=True,
            type=FramePairDataset,
            frames=dict(type=StillFrames, images=train_dataloader.dataset.images),
            views=MOCO_VIEWS,
            size=96,
            same_crop=False,
        ),
    )
)
train_cfg.merge(dict(max_iters=800))
optim_wrapper.merge(
    dict(optimizer=dict(_delete_=True, type=SGD, lr=0.02, momentum=0.9, weight_decay=1e-4))
)
custom_hooks[0].merge(dict(momentum=0.99))
default_hooks.merge(dict(logger=dict(interval=20), checkpoint=dict(interval=800)))
sync_bn = None
auto_scale_lr = dict(enable=False, base_batch_size=16)
