"""PixCon's recipe: SGD, lr 0.4 for batches of 512, momentum 0.9, weight decay 1e-4 on everything; 800 epochs of COCO.

As in the authors' code the cosine falls once per epoch, and the first four epochs multiply it by a
warm-up from 1e-4 that rises at every update. 231 updates are an epoch of COCO (118,287 // 512):
another data set merges its own into ``param_scheduler[0].end``. The target's momentum rises from
0.99 to 1. Deviation: bf16, which needs no loss scaling, for the authors' fp16 (``--amp fp16``).
"""

from mmengine.optim import CosineAnnealingLR, LinearLR
from mmengine.runner import EpochBasedTrainLoop
from torch.optim import SGD

from semcl_mm.engine import AmpOptimWrapper, MomentumUpdateHook
from semcl_mm.engine.hooks import EpochResumeHook

expected_start = 'random'
train_cfg = dict(type=EpochBasedTrainLoop, max_epochs=800)
optim_wrapper = dict(
    type=AmpOptimWrapper,
    dtype='bfloat16',
    optimizer=dict(type=SGD, lr=0.4, momentum=0.9, weight_decay=1e-4),
)
param_scheduler = [
    dict(type=LinearLR, start_factor=1e-4, begin=0, end=4 * 231 + 1, by_epoch=False),
    dict(type=CosineAnnealingLR, eta_min=0.0, begin=0, by_epoch=True),
]
custom_hooks = [dict(type=MomentumUpdateHook, momentum=0.99), dict(type=EpochResumeHook)]
