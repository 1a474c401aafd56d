"""Anchor sampling: quotas, classes and distribution against per-class loops."""

import pytest
import torch

from semcl_mm.losses.pixel_sampling import (
    ANCHOR_MODES,
    draw_per_group,
    gather_pixels,
    resize_labels,
    sample_anchors,
    spread_draw,
)


def scene(seed=0, batch=2, size=(20, 30), classes=4):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(-1, classes, (batch, *size), generator=generator)
    labels[0, :3] = 255
    right = torch.rand(labels.shape, generator=generator) < 0.8
    return labels, torch.where(right, labels, (labels + 1) % classes)


def rows_of(table):
    return [(i[lab >= 0], lab[lab >= 0]) for i, lab in zip(table.index, table.labels, strict=True)]


@pytest.mark.parametrize('mode', ['random', 'segmentation-aware', 'hard-easy'])
@pytest.mark.parametrize('unit', ['category', 'image-category'])
def test_anchors_are_distinct_pixels_of_their_class_and_image(mode, unit):
    labels, predictions = scene()
    table = sample_anchors(labels, predictions, 4, 15, mode, unit)
    assert table.index.shape == (4 if unit == 'category' else 8, 15)
    for row, (index, classes) in enumerate(rows_of(table)):
        assert (classes == row % 4).all()
        assert (labels.flatten()[index] == row % 4).all()
        assert len(index.unique()) == len(index) == 15
        if unit == 'image-category':
            assert (index // (20 * 30) == row // 4).all()


@pytest.mark.parametrize(
    ('num_hard', 'num_easy', 'expected'),
    [
        (50, 50, {'segmentation-aware': (5, 10), 'hard-easy': (5, 5)}),
        (2, 50, {'segmentation-aware': (2, 2), 'hard-easy': (2, 8)}),
        (50, 3, {'segmentation-aware': (7, 10), 'hard-easy': (7, 3)}),
        (2, 3, {'segmentation-aware': (2, 2), 'hard-easy': (2, 3)}),
        (0, 50, {'segmentation-aware': (0, 0), 'hard-easy': (0, 10)}),
    ],
)
@pytest.mark.parametrize('mode', ['segmentation-aware', 'hard-easy'])
def test_hard_and_easy_anchors_follow_the_quotas(mode, num_hard, num_easy, expected):
    """hard-easy: exact numbers; segmentation-aware: at least half hard, the rest by chance."""
    labels = torch.full((1, 1, 200), -1)
    labels[0, 0, : num_hard + num_easy] = 0
    predictions = torch.zeros_like(labels)
    predictions[0, 0, :num_hard] = 1
    for _ in range(20):
        ((index, _),) = rows_of(sample_anchors(labels, predictions, 1, 10, mode))
        hard = int((index < num_hard).sum())
        assert len(index) == min(10, num_hard + num_easy)
        if mode == 'hard-easy':
            assert (hard, len(index) - hard) == expected[mode]
        else:
            assert expected[mode][0] <= hard <= expected[mode][1]


def test_the_random_half_of_segmentation_aware_anchors_is_uniform_over_the_other_pixels():
    labels = torch.zeros(1, 1, 40, dtype=torch.long)
    predictions = torch.zeros_like(labels)
    predictions[0, 0, :10] = 1
    hits = torch.zeros(40)
    for _ in range(2000):
        index = sample_anchors(labels, predictions, 1, 8, 'segmentation-aware').index[0]
        hits[index] += 1
    # 4 of 10 hard ones, then 4 of the 36 left: 6 hard (of 10 alike) and 30 easy.
    hard, easy = 2000 * (4 / 10 + 6 / 10 * 4 / 36), 2000 * 4 / 36
    assert (hits[:10] - hard).abs().max() < 5 * hard**0.5
    assert (hits[10:] - easy).abs().max() < 5 * easy**0.5


def test_the_authors_bounds_reduce_every_row_evenly_and_drop_small_ones():
    labels = torch.full((1, 10, 30), 255)
    labels[0, :, :10], labels[0, :, 10:20], labels[0, :5, 20] = 0, 1, 2
    table = sample_anchors(labels, None, 3, 50, 'random', max_anchors=61, min_pixels=6)
    assert (table.labels >= 0).sum(dim=1).tolist() == [30, 30, 0]
    crowded = sample_anchors(labels, None, 3, 50, 'random', max_anchors=2)
    assert (crowded.labels >= 0).sum(dim=1).tolist() == [1, 1, 1]  # never none at all


def test_a_batch_of_ignored_pixels_has_no_anchor():
    labels = torch.full((2, 4, 4), 255)
    for mode in ('random', 'segmentation-aware', 'hard-easy'):
        table = sample_anchors(labels, torch.zeros_like(labels), 3, 5, mode)
        assert (table.labels == -1).all()
        assert (table.index == 0).all()


def test_every_member_of_a_group_is_drawn_equally_often():
    groups = torch.tensor([0] * 12 + [1] * 3 + [2] * 5)
    hits = torch.zeros(20)
    for _ in range(1500):
        table, sizes = draw_per_group(groups, 2, 4)
        assert (table[1] >= 0).sum() == 3
        hits[table[table >= 0]] += 1
    assert sizes.tolist() == [12, 3]
    assert (hits[:12] - 500).abs().max() < 5 * 500**0.5
    assert (hits[12:15] == 1500).all()
    assert hits[15:].sum() == 0


def test_the_same_generator_draws_the_same_anchors():
    labels, predictions = scene()
    for mode in ANCHOR_MODES:
        tables = []
        for seed in (0, 1):  # the global generator has no say
            torch.manual_seed(seed)
            generator = torch.Generator().manual_seed(3)
            tables.append(sample_anchors(labels, predictions, 4, 9, mode, generator=generator))
        assert torch.equal(tables[0].index, tables[1].index)


@pytest.mark.parametrize('population', [0, 1, 7, 8, 9, 100, 10**6])
def test_spread_draws_are_distinct_and_below_the_population(population):
    number, valid = spread_draw(torch.tensor([population, 3]), 8)
    kept = number[0][valid[0]]
    assert len(kept.unique()) == len(kept) == min(population, 8)
    assert ((kept >= 0) & (kept < max(population, 1))).all()
    assert valid[1].sum() == 3


def test_spread_draws_hit_every_number_equally_often():
    hits = torch.zeros(11)
    for _ in range(3000):
        number, _ = spread_draw(torch.tensor(11), 4)
        hits[number] += 1
    assert (hits - 3000 * 4 / 11).abs().max() < 5 * (3000 * 4 / 11) ** 0.5


@pytest.mark.parametrize('size', [(2, 3), (4, 6), (5, 7), (8, 12), (3, 6)])
def test_labels_are_resized_as_torch_does_by_nearest_neighbour(size):
    labels = torch.randint(0, 256, (2, 4, 6))
    expected = torch.nn.functional.interpolate(labels[:, None].float(), size, mode='nearest')
    assert torch.equal(resize_labels(labels, size), expected[:, 0].long())


def test_gathered_pixels_and_their_gradient_equal_plain_indexing():
    maps = torch.randn(2, 3, 4, 5, dtype=torch.float64, requires_grad=True)
    index = torch.tensor([[0, 7, 39], [20, 7, 0]])  # padding repeats position 0
    expected = maps.permute(0, 2, 3, 1).flatten(0, 2)[index]
    gathered = gather_pixels(maps, index)
    assert torch.equal(gathered, expected)
    weight = torch.randn_like(expected)
    a, b = (torch.autograd.grad((x * weight).sum(), maps)[0] for x in (gathered, expected))
    torch.testing.assert_close(a, b)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(mode='hard'), 'mode must be one of'),
        (dict(unit='pixel'), 'unit must be one of'),
        (dict(per_class=0), 'per_class must be positive'),
        (dict(predictions=None), 'needs predictions'),
        (dict(predictions=torch.zeros(2, 3, 3)), 'needs predictions'),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    given = dict(labels=torch.zeros(2, 4, 4), predictions=torch.zeros(2, 4, 4), num_classes=3)
    with pytest.raises(ValueError, match=message):
        sample_anchors(**{**given, **arguments})
