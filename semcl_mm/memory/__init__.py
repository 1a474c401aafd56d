"""Memories of past embeddings: state that a contrastive loss reads and a training step writes.

Everything lives in persistent buffers on the module's device. Writing needs no host
synchronisation and never copies the memory; see :class:`StagedMemory` for when it happens.
"""

from semcl_mm.memory.feature_queue import FeatureQueue
from semcl_mm.memory.region_bank import MEMORY_KINDS, RegionMemoryBank
from semcl_mm.memory.staged import StagedMemory

__all__ = ['MEMORY_KINDS', 'FeatureQueue', 'RegionMemoryBank', 'StagedMemory']
