"""The sampler: which pairs come, in which shares, and that it restarts anywhere."""

import itertools

import numpy as np
import pytest
from mmengine.runner.loops import _InfiniteDataloaderIterator
from torch.utils.data import DataLoader

from semcl_mm.datasets import samplers
from semcl_mm.datasets.samplers import PairSampler


class Columns:
    """A data set of numbers that gives back the draws it is asked for."""

    def __init__(self, image_ids, categories=None):
        self.image_ids = np.asarray(image_ids)
        self.categories = np.asarray(categories if categories is not None else image_ids)

    def __len__(self):
        return len(self.image_ids)

    def __getitem__(self, draw):
        return tuple(draw)


@pytest.fixture
def skewed():
    """40 pairs: image 0 has 20 of them, image 1 has 10, five more images have two each."""
    return Columns(np.repeat(np.arange(7), [20, 10, 2, 2, 2, 2, 2]))


def take(sampler, count):
    return list(itertools.islice(iter(sampler), count))


def indices(draws):
    return [draw.index for draw in draws]


def at_rank(monkeypatch, rank, world_size):
    monkeypatch.setattr(samplers, 'get_dist_info', lambda: (rank, world_size))


def test_each_epoch_of_the_stream_holds_every_pair_once_in_another_order(skewed):
    draws = indices(take(PairSampler(skewed, seed=0), 80))
    assert sorted(draws[:40]) == sorted(draws[40:]) == list(range(40))
    assert draws[:40] != draws[40:]


def test_positions_of_a_stream_never_repeat_so_augmentations_differ_between_epochs(skewed):
    draws = take(PairSampler(skewed, seed=0), 80)
    assert [draw.position for draw in draws] == list(range(80))


@pytest.mark.parametrize('options', [{}, {'balance': 'image'}, {'pairs_per_image': 3}])
@pytest.mark.parametrize('skipped', [0, 1, 39, 40, 41, 137])
def test_skipping_lands_where_an_uninterrupted_stream_would_be(skewed, options, skipped):
    whole = take(PairSampler(skewed, seed=3, **options), skipped + 50)
    resumed = PairSampler(skewed, seed=3, **options)
    resumed.skip(skipped)
    assert take(resumed, 50) == whole[skipped:]


@pytest.mark.parametrize('options', [{}, {'pairs_per_image': 4}])
def test_ranks_share_an_epoch_without_overlap_but_for_the_rounding(monkeypatch, skewed, options):
    shares = []
    for rank in range(3):
        at_rank(monkeypatch, rank, 3)
        sampler = PairSampler(skewed, seed=1, **options)
        assert len(sampler) == 14
        shares.append(take(sampler, 14))
    draws = list(itertools.chain(*shares))
    assert set(indices(draws)) == set(range(40))
    assert len({draw.position for draw in draws}) == 42


def test_the_world_together_draws_what_one_process_with_its_batch_would(monkeypatch, skewed):
    alone = take(PairSampler(skewed, seed=5), 40)
    shares = []
    for rank in range(4):
        at_rank(monkeypatch, rank, 4)
        shares.append(take(PairSampler(skewed, seed=5), 10))
    assert [draw for step in zip(*shares, strict=True) for draw in step] == alone


def test_balancing_by_image_gives_every_image_the_same_share(skewed):
    draws = indices(take(PairSampler(skewed, seed=0, balance='image'), 7 * 40))
    shares = np.bincount(skewed.image_ids[draws])
    # Each epoch of 40 deals 5 or 6 turns to each of the 7 images.
    assert shares.min() >= 7 * 5
    assert shares.max() <= 7 * 6
    assert len(set(draws)) > 35  # the pairs of an image are all in use


def test_balancing_by_class_counts_classes_and_not_images():
    columns = Columns(np.arange(30), categories=np.repeat([4, 9, 11], [24, 5, 1]))
    draws = indices(take(PairSampler(columns, seed=0, balance='class'), 30))
    assert np.bincount(columns.categories[draws])[[4, 9, 11]].tolist() == [10, 10, 10]


def test_grouping_brings_pairs_of_an_image_together_and_still_draws_each_once(skewed):
    draws = indices(take(PairSampler(skewed, seed=0, pairs_per_image=4), 40))
    assert sorted(draws) == list(range(40))
    runs = [len(list(run)) for _, run in itertools.groupby(skewed.image_ids[draws])]
    # 20 / 4 + 3 (10 as 4, 4, 2) + 5 groups; groups of one image may meet by chance.
    assert len(runs) <= 13
    ungrouped = indices(take(PairSampler(skewed, seed=0), 40))
    assert len(list(itertools.groupby(skewed.image_ids[ungrouped]))) > 2 * len(runs)


def test_a_finite_sampler_ends_after_its_epoch_and_follows_set_epoch(skewed):
    sampler = PairSampler(skewed, seed=0, infinite=False)
    first = list(sampler)
    sampler.set_epoch(1)
    second = list(sampler)
    assert len(first) == len(second) == 40
    assert first + second == take(PairSampler(skewed, seed=0), 80)


def test_a_finite_sampler_shortens_only_the_interrupted_epoch(skewed):
    sampler = PairSampler(skewed, seed=0, infinite=False)
    whole = list(sampler)
    sampler.skip(15)
    assert list(sampler) == whole[15:]
    assert list(sampler) == whole


def test_an_iteration_loop_resumes_through_the_sampler_without_loading_what_was_seen(skewed):
    def loader():
        return DataLoader(skewed, 4, sampler=PairSampler(skewed, seed=2), collate_fn=list)

    steady = _InfiniteDataloaderIterator(loader())
    whole = [next(steady) for _ in range(25)]
    resumed = _InfiniteDataloaderIterator(loader())
    resumed.skip_iter(13)
    assert [next(resumed) for _ in range(12)] == whole[13:]


def test_seeds_give_different_orders(skewed):
    assert indices(take(PairSampler(skewed, seed=0), 40)) != indices(
        take(PairSampler(skewed, seed=1), 40)
    )


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'balance': 'color'}, "balance='color'"),
        ({'pairs_per_image': 0}, 'pairs_per_image=0'),
        ({'balance': 'image', 'pairs_per_image': 2}, 'pairs_per_image=1'),
        ({'balance': 'image', 'shuffle': False}, 'shuffle=True'),
    ],
)
def test_contradicting_options_are_named(skewed, options, message):
    with pytest.raises(ValueError, match=message):
        PairSampler(skewed, seed=0, **options)


def test_a_data_set_without_the_needed_column_is_named():
    with pytest.raises(ValueError, match='list has no column image_ids'):
        PairSampler([1, 2, 3], seed=0, balance='image')


def test_an_empty_data_set_is_refused():
    with pytest.raises(ValueError, match='empty'):
        PairSampler([], seed=0)


@pytest.mark.parametrize(('count', 'message'), [(-1, 'negative'), (41, 'infinite=True')])
def test_a_finite_sampler_cannot_skip_beyond_its_epoch(skewed, count, message):
    with pytest.raises(ValueError, match=message):
        PairSampler(skewed, seed=0, infinite=False).skip(count)


def test_a_million_pairs_restart_in_the_middle_of_a_late_epoch_from_one_permutation(monkeypatch):
    sampler = PairSampler(range(1_000_000), seed=0)
    made = []
    order = sampler.epoch_order
    monkeypatch.setattr(sampler, 'epoch_order', lambda epoch: made.append(epoch) or order(epoch))
    sampler.skip(7_500_000)
    next(iter(sampler))
    assert made == [7]
