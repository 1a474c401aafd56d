"""Registers the modules of ``semcl_mm.losses``, which itself imports nothing of OpenMMLab.

Each class that ``semcl_mm.losses`` exports is registered under its own name, so that a config may
name it by class or by string.
"""

from torch import nn

import semcl_mm.losses
from semcl_mm.registry import MODELS

__all__: list[str] = []

for _name in semcl_mm.losses.__all__:
    _item = getattr(semcl_mm.losses, _name)
    if isinstance(_item, type) and issubclass(_item, nn.Module):
        MODELS.register_module(module=_item)
