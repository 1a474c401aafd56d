"""Hooks: what happens around a training step."""

from .checkpoint_hook import SafeCheckpointHook
from .epoch_resume_hook import EpochResumeHook
from .exact_resume_hook import ExactResumeHook
from .feature_monitor_hook import FeatureMonitorHook
from .momentum_hook import MomentumUpdateHook
from .precise_bn_hook import PreciseBNHook
from .record_hook import RunRecordHook
from .runtime_info_hook import DeferredRuntimeInfoHook, NonFiniteLossError

__all__ = [
    'DeferredRuntimeInfoHook',
    'EpochResumeHook',
    'ExactResumeHook',
    'FeatureMonitorHook',
    'MomentumUpdateHook',
    'NonFiniteLossError',
    'PreciseBNHook',
    'RunRecordHook',
    'SafeCheckpointHook',
]
