"""MoCo's ShuffleBN: keys see other images in their batch norms than queries do.

Where a batch norm normalises over the images of one process, query and key of an image would share
their companions, and so a trace by which they can be matched. Before the target encoder the images
of all processes are therefore mixed, and its embeddings are put back afterwards.

MoCo gathers all images everywhere and takes a random share of them. Here each process deals its
own images out, in random order, evenly to all: a random mix as well, with as many images of every
process in every batch, at 1 / processes of the traffic, and no permutation has to be agreed upon.
In a single process there is nothing to mix with, and nothing happens (a permutation within a batch
does not change its statistics).
"""

from typing import NamedTuple

import torch
from torch import Tensor

from semcl_mm.distributed import deal, take_back, world_size

__all__ = ['ShuffledBatch', 'shuffle_batch']


class ShuffledBatch(NamedTuple):
    """Images of all processes, and the way back for what is computed from them.

    Attributes:
        images: (N', ...) images to be encoded here.
        order: (N,) long, the order in which the process dealt its own; None in a single process.
    """

    images: Tensor
    order: Tensor | None

    def restore(self, outputs: Tensor) -> Tensor:
        """Return (N, ...): the outputs of this process's own images, in their order.

        Args:
            outputs: (N', ...), computed from ``images``, without a gradient.
        """
        if self.order is None:
            return outputs
        own = take_back(outputs, len(self.order))
        return torch.empty_like(own).index_copy_(0, self.order, own)


@torch.no_grad()
def shuffle_batch(images: Tensor) -> ShuffledBatch:
    """Mix the images of all processes.

    Args:
        images: (N, ...), equally many in each process and at least one for each process.

    Raises:
        ValueError: There are fewer images than processes: some would be left without any.
    """
    processes = world_size()
    if processes == 1:
        return ShuffledBatch(images, None)
    if len(images) < processes:
        raise ValueError(
            f'ShuffleBN deals {len(images)} images out to {processes} processes: raise the batch '
            'size per process, or set shuffle_bn=False (and synchronise the batch norms)'
        )
    order = torch.randperm(len(images), device=images.device)
    return ShuffledBatch(deal(images[order]), order)
