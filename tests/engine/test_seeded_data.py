"""A sample's random numbers depend on its place in the run, and on nothing else."""

import pickle
import random

import numpy as np
import torch
from mmengine.dataset import DefaultSampler, InfiniteSampler
from torch.utils.data import Dataset

from semcl_mm.engine.seeded_data import NumberedIndex, NumberedSampler, SeededDataset


class Noise(Dataset):
    metainfo = {'classes': ('noise',)}

    def __len__(self):
        return 5

    def __getitem__(self, index):
        return index, random.random(), float(np.random.rand()), float(torch.rand(()))  # noqa: NPY002


def take(iterator, count):
    return [next(iterator) for _ in range(count)]


def test_all_three_generators_follow_the_place():
    dataset = SeededDataset(Noise(), seed=3)
    here = dataset[NumberedIndex(2, (0, 7))]
    assert here == dataset[NumberedIndex(2, (0, 7))]
    for other in (NumberedIndex(2, (0, 8)), NumberedIndex(2, (1, 7))):
        assert all(a != b for a, b in zip(here[1:], dataset[other][1:], strict=True))
    assert here[1:] != SeededDataset(Noise(), seed=4)[NumberedIndex(2, (0, 7))][1:]


def test_the_main_process_keeps_its_own_random_numbers():
    dataset = SeededDataset(Noise(), seed=3)
    torch.manual_seed(0)
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002
    expected = Noise()[0]
    torch.manual_seed(0)
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002
    dataset[NumberedIndex(1, (0, 0))]
    assert Noise()[0] == expected


def test_numbers_go_on_where_a_resumed_stream_does():
    def stream():
        return NumberedSampler(InfiniteSampler(Noise(), seed=1))

    whole = take(iter(stream()), 12)
    assert [index.place for index in whole] == [(0, position) for position in range(12)]
    resumed = stream()
    resumed.skip(7)
    assert [(i, i.place) for i in take(iter(resumed), 5)] == [(i, i.place) for i in whole[7:]]


def test_epochs_have_numbers_of_their_own():
    sampler = NumberedSampler(DefaultSampler(Noise(), seed=1))
    assert not hasattr(sampler, 'skip')  # as the sampler inside
    sampler.set_epoch(2)
    assert [index.place for index in sampler] == [(2, position) for position in range(5)]
    assert len(sampler) == 5


def test_richer_items_and_attributes_pass():
    draws = [('draw', 1), ('draw', 2)]
    assert list(NumberedSampler(draws)) == draws
    dataset = SeededDataset(Noise(), seed=0)
    assert dataset.metainfo == Noise.metainfo
    assert pickle.loads(pickle.dumps(dataset)).metainfo == Noise.metainfo
    index = pickle.loads(pickle.dumps(NumberedIndex(3, (1, 2))))
    assert (index, index.place) == (3, (1, 2))
