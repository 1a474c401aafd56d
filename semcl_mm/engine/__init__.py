"""What runs a training: the CPU-capable runner, its hooks, schedules and optimiser wrappers.

Signatures a config needs::

    runner_type = Runner            # + pretrained = None | dict(checkpoint=…, allow_partial, trust)
    SafeCheckpointHook(…)           # MMEngine's CheckpointHook, which removes the old file last
    DeferredRuntimeInfoHook(interval=None, check_finite=True)       # default_hooks.runtime_info
    MomentumUpdateHook(momentum=0.99, schedule='cosine')            # custom_hooks of pretraining
    FeatureMonitorHook(train=…, val=…, interval=1000)               # kNN, probe, collapse
    OneCycle(total_steps=None, pct_start=0.125, div_factor=25., final_div_factor=1e4,
             cycle_momentum=True, base_momentum=0.85, max_momentum=0.95)
        counts optimiser steps; None is the whole run. Its peak is the optimiser's lr.
    Lars(lr=1.0, momentum=0, weight_decay=0, trust_coeff=0.001)     # timm's; adapts decayed groups
    OptimWrapper, AmpOptimWrapper(dtype='bfloat16', loss_scale='dynamic')
    optim_wrapper.constructor = GroupedOptimWrapperConstructor      # with any paramwise_cfg
"""

from .hooks import (
    DeferredRuntimeInfoHook,
    ExactResumeHook,
    FeatureMonitorHook,
    MomentumUpdateHook,
    NonFiniteLossError,
    PreciseBNHook,
    RunRecordHook,
    SafeCheckpointHook,
)
from .optim_wrapper import AmpOptimWrapper, GroupedOptimWrapperConstructor, OptimWrapper
from .optimizers import Lars
from .overrides import check_overrides
from .resume import require_writable
from .runner import Runner
from .schedulers import OneCycle

__all__ = [
    'AmpOptimWrapper',
    'DeferredRuntimeInfoHook',
    'ExactResumeHook',
    'FeatureMonitorHook',
    'GroupedOptimWrapperConstructor',
    'Lars',
    'MomentumUpdateHook',
    'NonFiniteLossError',
    'OneCycle',
    'OptimWrapper',
    'PreciseBNHook',
    'RunRecordHook',
    'Runner',
    'SafeCheckpointHook',
    'check_overrides',
    'require_writable',
]
