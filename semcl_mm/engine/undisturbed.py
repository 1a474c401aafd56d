"""Look at a network in the middle of its training, and leave no trace."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from semcl_mm.engine.run_state import random_state, restore_random_state

__all__ = ['undisturbed']


@contextmanager
def undisturbed(module: nn.Module) -> Iterator[nn.Module]:
    """Evaluation mode without gradients and autocast; afterwards everything is as before.

    What is put back, also after an error: the training flag of each module on its own (a frozen
    norm stays frozen), the buffers, and the generators of Python, NumPy, torch and the CUDA
    device. Gradients that are being accumulated are not touched.

    Args:
        module: The network that is looked at, without the wrapper of a distributed run.

    Yields:
        The module.
    """
    before = random_state()
    flags = [(part, part.training) for part in module.modules()]
    buffers = [(buffer, buffer.detach().clone()) for buffer in module.buffers()]
    device = next((p.device.type for p in module.parameters()), 'cpu')
    try:
        module.eval()
        with torch.no_grad(), torch.autocast(device, enabled=False):
            yield module
    finally:
        for part, training in flags:
            part.training = training
        with torch.no_grad():
            for buffer, value in buffers:
                buffer.copy_(value)
        restore_random_state(before)
