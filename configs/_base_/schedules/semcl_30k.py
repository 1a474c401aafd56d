"""SemCL's recipe: AdamW, lr 1.5e-4 x 64 / 256, weight decay 0.1, OneCycle, 30k updates, bf16.

From the authors' code rather than the paper: AdamW's beta1 cycles .95 -> .85 -> .95 against the
learning rate (``cycle_momentum``), and norms and biases are decayed as well (``paramwise_cfg``
with ``norm_decay_mult=0, bias_decay_mult=0`` switches that off). The authors trained in fp16; bf16 needs no
loss scaling (``--amp fp16`` is theirs).
"""

from mmengine.runner import IterBasedTrainLoop
from torch.optim import AdamW

from semcl_mm.engine import (
    AmpOptimWrapper,
    GroupedOptimWrapperConstructor,
    MomentumUpdateHook,
    OneCycle,
)

train_cfg = dict(type=IterBasedTrainLoop, max_iters=30000)
optim_wrapper = dict(
    type=AmpOptimWrapper,
    dtype='bfloat16',
    optimizer=dict(type=AdamW, lr=3.75e-5, betas=(0.95, 0.999), weight_decay=0.1),
    constructor=GroupedOptimWrapperConstructor,
    paramwise_cfg=dict(norm_decay_mult=1.0, bias_decay_mult=1.0),
)
param_scheduler = [dict(type=OneCycle, pct_start=0.125, cycle_momentum=True, by_epoch=False)]
custom_hooks = [dict(type=MomentumUpdateHook, momentum=0.99)]
