"""Which pair comes next: shuffled, balanced or grouped, and resumable at any sample."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from mmengine.dist import get_dist_info, sync_random_seed
from torch.utils.data import Dataset, Sampler

from semcl_mm.registry import DATA_SAMPLERS

__all__ = ['PairDraw', 'PairSampler']

_BALANCED_COLUMNS = {'image': 'image_ids', 'class': 'categories'}


class PairDraw(NamedTuple):
    """One draw of a pair, with all that its augmentation depends on.

    The data set seeds its random numbers with the whole draw. So an augmentation depends neither
    on the worker that makes it nor on what that worker did before.

    Attributes:
        index: number of the pair.
        position: number of the draw, counted over all ranks and epochs.
        seed: seed of the run.
    """

    index: int
    position: int
    seed: int


@DATA_SAMPLERS.register_module()
class PairSampler(Sampler):
    """Stream of draws that restarts anywhere.

    The order of an epoch is a function of ``(seed, epoch)`` alone, so :meth:`skip` costs one
    permutation wherever it lands, and a resumed run sees the same pairs with the same
    augmentations, whatever the number of workers. Ranks share an epoch without overlap; like
    ``DistributedSampler``, up to ``world size - 1`` pairs come twice to make the shares equal.

    Args:
        dataset: a sized data set; ``balance`` and ``pairs_per_image`` read its columns
            ``image_ids`` and ``categories``, one number per pair.
        shuffle: whether the order is random.
        seed: seed of order and augmentations, equal on all ranks. None draws one and shares it.
        infinite: True for ``IterBasedTrainLoop``: the stream never ends. False for
            ``EpochBasedTrainLoop``: each iteration is one epoch, chosen by :meth:`set_epoch`.
        balance: None draws every pair once per epoch (the paper's recipe). ``'image'`` or
            ``'class'`` gives each image or class the same share of the draws and then draws one
            of its pairs uniformly, with replacement; an epoch keeps its length.
        pairs_per_image: 1 draws pairs independently (the paper's recipe). With k > 1 up to k
            pairs of an image follow each other, in random groups, so that a worker decodes the
            image once per group (the data set keeps the last image). Each pair still comes once
            per epoch; but a batch of B holds about B / k images instead of B, so batch statistics
            and gradients average over fewer photos.

    Raises:
        ValueError: for an empty data set, a missing column or options that contradict each other.
    """

    def __init__(
        self,
        dataset: Dataset,
        shuffle: bool = True,
        seed: int | None = None,
        infinite: bool = True,
        balance: str | None = None,
        pairs_per_image: int = 1,
    ) -> None:
        if len(dataset) == 0:
            raise ValueError('the data set is empty: there is no pair to draw')
        if balance is not None and balance not in _BALANCED_COLUMNS:
            raise ValueError(f'balance={balance!r} must be None or in {list(_BALANCED_COLUMNS)}')
        if pairs_per_image < 1:
            raise ValueError(f'pairs_per_image={pairs_per_image} must be at least 1')
        if (balance or pairs_per_image > 1) and not shuffle:
            raise ValueError('balance and pairs_per_image need shuffle=True')
        if balance and pairs_per_image > 1:
            raise ValueError(f'balance={balance!r} needs pairs_per_image=1, not {pairs_per_image}')
        self.rank, self.world_size = get_dist_info()
        self.seed = sync_random_seed() if seed is None else int(seed)
        self.size = len(dataset)
        self.shuffle = shuffle
        self.infinite = infinite
        self.balance = balance
        self.pairs_per_image = pairs_per_image
        self._column = None
        if balance:
            self._column = _column(dataset, _BALANCED_COLUMNS[balance])
        elif pairs_per_image > 1:
            self._column = _column(dataset, 'image_ids')
        self._share = -(-self.size // self.world_size)
        self._epoch = 0
        self._skipped = 0

    def __len__(self) -> int:
        """Draws of this rank in an epoch."""
        return self._share

    def __iter__(self) -> Iterator[PairDraw]:
        epoch, offset = divmod(self._skipped, self._share)
        if not self.infinite:
            epoch, offset = self._epoch, self._skipped
            self._skipped = 0  # only the epoch that was interrupted is shorter
        while True:
            draws = self._draws_of_rank(epoch)
            # A few at a time: a million Python integers would cost 100 MB.
            for start in range(offset, self._share, 4096):
                for index, position in draws[start : start + 4096].tolist():
                    yield PairDraw(index, position, self.seed)
            if not self.infinite:
                return
            epoch, offset = epoch + 1, 0

    def skip(self, num_samples: int) -> None:
        """Start the next iteration behind ``num_samples`` draws of this rank.

        The number is absolute. In an infinite stream it counts from the start of the run, which is
        what ``IterBasedTrainLoop`` asks for when it resumes; otherwise from the start of the epoch
        (see :class:`semcl_mm.engine.hooks.EpochResumeHook`).

        Raises:
            ValueError: for a negative number, or one beyond the epoch of a finite sampler.
        """
        if num_samples < 0:
            raise ValueError(f'num_samples={num_samples} must not be negative')
        if not self.infinite and num_samples > self._share:
            raise ValueError(
                f'cannot skip {num_samples} draws: an epoch has {self._share}. '
                'An iteration-based loop needs PairSampler(infinite=True)'
            )
        self._skipped = num_samples

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next iteration of a finite sampler draws."""
        self._epoch = epoch

    def epoch_order(self, epoch: int) -> np.ndarray:
        """Pairs of an epoch over all ranks, int64 array (size,)."""
        if not self.shuffle:
            return np.arange(self.size)
        rng = np.random.default_rng((self.seed, epoch))
        if self.balance:
            return _balanced_order(self._column, self.size, rng)
        order = rng.permutation(self.size)
        if self.pairs_per_image > 1:
            order = _grouped_order(order, self._column, self.pairs_per_image, rng)
        return order

    def _draws_of_rank(self, epoch: int) -> np.ndarray:
        """(index, position) of each draw of this rank in an epoch, int64 array (share, 2)."""
        total = self._share * self.world_size
        indices = np.resize(self.epoch_order(epoch), total)
        positions = np.arange(total) + epoch * total
        draws = np.stack([indices, positions], axis=1)
        if self.pairs_per_image > 1:  # neighbours stay together
            return draws.reshape(self.world_size, self._share, 2)[self.rank]
        return draws.reshape(self._share, self.world_size, 2)[:, self.rank]


def _column(dataset: Dataset, name: str) -> np.ndarray:
    column = getattr(dataset, name, None)
    if column is None or len(column) != len(dataset):
        raise ValueError(
            f'{type(dataset).__name__} has no column {name} with one number per pair, '
            'which balance and pairs_per_image need'
        )
    return np.asarray(column)


def _balanced_order(groups: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """Draw ``size`` pairs so that each group's share differs by at most one draw.

    Args:
        groups: group of each pair, (N,).
        size: number of draws.
        rng: source of randomness.
    """
    by_group = np.argsort(groups, kind='stable')
    _, starts, counts = np.unique(groups[by_group], return_index=True, return_counts=True)
    turns = rng.permutation(np.resize(rng.permutation(len(starts)), size))
    within = (rng.random(size) * counts[turns]).astype(np.int64)
    return by_group[starts[turns] + within]


def _grouped_order(
    order: np.ndarray, images: np.ndarray, most: int, rng: np.random.Generator
) -> np.ndarray:
    """Bring pairs of an image together, in shuffled groups of at most ``most``.

    Args:
        order: random permutation of the pairs, (N,).
        images: image of each pair, (N,).
        most: largest number of pairs in a group.
        rng: source of randomness.
    """
    order = order[np.argsort(images[order], kind='stable')]
    sorted_images = images[order]
    first = np.r_[True, sorted_images[1:] != sorted_images[:-1]]
    number = np.arange(len(order)) - np.flatnonzero(first)[np.cumsum(first) - 1]
    group = np.cumsum(first | (number % most == 0)) - 1
    return order[np.argsort(rng.permutation(group[-1] + 1)[group], kind='stable')]
