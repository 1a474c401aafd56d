"""Modules from their configs."""

import torch
from mmpretrain.registry import MODELS
from torch import nn

__all__ = ['ModuleConfig', 'build_module', 'queue_type']

ModuleConfig = dict | nn.Module


def build_module(config: ModuleConfig | None) -> nn.Module | None:
    """A module from its config; a module or None passes through."""
    if config is None or isinstance(config, nn.Module):
        return config
    return MODELS.build(config)


def queue_type(name: str) -> torch.dtype:
    """The type that a queue is stored in, by its name.

    Raises:
        ValueError: it is none of float32, bfloat16 and float16.
    """
    known = {'float32': torch.float32, 'bfloat16': torch.bfloat16, 'float16': torch.float16}
    if name not in known:
        raise ValueError(f'queue_dtype={name!r} must be one of {list(known)}')
    return known[name]
