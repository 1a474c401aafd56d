"""Optimisers that neither PyTorch nor MMEngine has, registered.

``Lars`` is timm's: foreach, and without a transfer to the host. It adapts the learning rate of
groups with a weight decay alone, so that ``paramwise_cfg=dict(norm_decay_mult=0.,
bias_decay_mult=0.)`` is all that it takes to leave norms and biases to plain SGD.
"""

from timm.optim.lars import Lars

from semcl_mm.registry import OPTIMIZERS

__all__ = ['Lars']

OPTIMIZERS.register_module(module=Lars)
