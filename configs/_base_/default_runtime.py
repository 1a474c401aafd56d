"""What every run shares: the runner, its hooks, the environment and where logs go.

``default_scope`` stays None: a library's scope would make the other libraries' string defaults
resolve in the wrong registry without a word. ``pretrained`` is set by ``--pretrained CKPT``.
"""

from mmengine.hooks import (
    DistSamplerSeedHook,
    IterTimerHook,
    LoggerHook,
    ParamSchedulerHook,
)
from mmengine.runner import LogProcessor
from mmengine.visualization import LocalVisBackend, Visualizer

from semcl_mm.engine import DeferredRuntimeInfoHook, Runner, RunRecordHook, SafeCheckpointHook

default_scope = None
runner_type = Runner
pretrained = None

default_hooks = dict(
    runtime_info=dict(type=DeferredRuntimeInfoHook),
    timer=dict(type=IterTimerHook),
    logger=dict(type=LoggerHook, interval=50),
    param_scheduler=dict(type=ParamSchedulerHook),
    checkpoint=dict(type=SafeCheckpointHook, by_epoch=False, interval=2000, max_keep_ckpts=2),
    sampler_seed=dict(type=DistSamplerSeedHook),
    record=dict(type=RunRecordHook),
)

env_cfg = dict(
    cudnn_benchmark=True,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'),
)
randomness = dict(seed=0)
sync_bn = 'torch'

visualizer = dict(type=Visualizer, vis_backends=[dict(type=LocalVisBackend)])
log_processor = dict(type=LogProcessor, by_epoch=False, window_size=50)
log_level = 'INFO'
load_from = None
resume = False
