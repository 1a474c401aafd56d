"""Modules from their configs."""

from mmpretrain.registry import MODELS
from torch import nn

__all__ = ['ModuleConfig', 'build_module']

ModuleConfig = dict | nn.Module


def build_module(config: ModuleConfig | None) -> nn.Module | None:
    """A module from its config; a module or None passes through."""
    if config is None or isinstance(config, nn.Module):
        return config
    return MODELS.build(config)
