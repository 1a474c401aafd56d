"""AdamW for plain ViTs: lr 1e-4, weight decay 0.005, layer-wise decay 0.75, poly decay, 80k iterations.

Local-to-global paper, §4.2. Not stated there: the layer-wise factor, the batch, the warm-up and
the power of the decay. 80k iterations of 16 are its 64 epochs of ADE20K.
"""

from mmengine.optim import LinearLR, PolyLR
from mmengine.runner import IterBasedTrainLoop, TestLoop, ValLoop
from torch.optim import AdamW

from semcl_mm.downstream import LayerDecayOptimWrapperConstructor
from semcl_mm.engine import OptimWrapper

train_cfg = dict(type=IterBasedTrainLoop, max_iters=80000, val_interval=8000)
val_cfg = dict(type=ValLoop)
test_cfg = dict(type=TestLoop)
optim_wrapper = dict(
    type=OptimWrapper,
    optimizer=dict(type=AdamW, lr=1e-4, betas=(0.9, 0.999), weight_decay=0.005),
    constructor=LayerDecayOptimWrapperConstructor,
    paramwise_cfg=dict(
        layer_decay_rate=0.75,
        norm_decay_mult=0.0,
        bias_decay_mult=0.0,
        custom_keys={'cls_token': dict(decay_mult=0.0), 'pos_embed': dict(decay_mult=0.0)},
    ),
)
param_scheduler = [
    dict(type=LinearLR, start_factor=1e-6, begin=0, end=1500, by_epoch=False),
    dict(type=PolyLR, power=1.0, eta_min=0.0, begin=1500, by_epoch=False),
]
