"""AdamW, lr 1e-4 x 2048 / 256, linear warm-up over 5 % of the run, cosine decay; 300 epochs of ImageNet.

Not stated in the paper: the epochs, the batch that the base lr 1e-4 belongs to (256), the weight
decay (0.05; none on norms, biases, class token and positions), the precision (bf16).
187,500 updates = 300 epochs x 625 (1.28 M images in batches of 2048).
"""

from mmengine.optim import CosineAnnealingLR, LinearLR
from mmengine.runner import IterBasedTrainLoop
from torch.optim import AdamW

from semcl_mm.engine import AmpOptimWrapper, GroupedOptimWrapperConstructor

expected_start = 'random'
train_cfg = dict(type=IterBasedTrainLoop, max_iters=187500)
optim_wrapper = dict(
    type=AmpOptimWrapper,
    dtype='bfloat16',
    optimizer=dict(type=AdamW, lr=8e-4, betas=(0.9, 0.999), weight_decay=0.05),
    constructor=GroupedOptimWrapperConstructor,
    paramwise_cfg=dict(
        norm_decay_mult=0.0,
        bias_decay_mult=0.0,
        custom_keys={'cls_token': dict(decay_mult=0.0), 'pos_embed': dict(decay_mult=0.0)},
    ),
)
param_scheduler = [
    dict(type=LinearLR, start_factor=1e-6, begin=0, end=9375, by_epoch=False),
    dict(type=CosineAnnealingLR, eta_min=0.0, begin=9375, by_epoch=False),
]
