"""RegionMemoryBank against per-image, per-class loops and plain Python lists."""

import pytest
import torch
import torch.nn.functional as F

from semcl_mm.memory import RegionMemoryBank


def maps(seed, batch=2, dim=8, size=(6, 7), classes=3, stride=1):
    """Embeddings whose direction tells which pixel they come from, and labels."""
    generator = torch.Generator().manual_seed(seed)
    embeddings = torch.randn(batch, dim, *size, generator=generator)
    labels = torch.randint(0, classes + 1, (batch, *size), generator=generator)
    labels[labels == classes] = 255
    return embeddings, labels.repeat_interleave(stride, 1).repeat_interleave(stride, 2)


def of_class(bank, label):
    features, labels = bank.keys()
    return features[labels == label]


def is_among(features, pixels):
    """Whether each of ``features`` (K, D) is one of the ``pixels`` (n, D)."""
    return ((features @ F.normalize(pixels).T) > 1 - 1e-6).any(dim=1)


@pytest.mark.parametrize('stride', [1, 2, 8])
def test_every_stored_pixel_has_the_class_of_its_label_at_any_stride(stride):
    bank = RegionMemoryBank(3, 8, 4, 100, memory='pixel')
    embeddings, labels = maps(0, stride=stride)
    bank.update(embeddings, labels)
    coarse = labels[:, ::stride, ::stride]
    for label in range(3):
        stored = of_class(bank, label)
        pixels = embeddings.permute(0, 2, 3, 1)[coarse == label]
        assert len(stored) == sum(min(int((image == label).sum()), 10) for image in coarse)
        assert is_among(stored, pixels).all()
        assert len(stored.unique(dim=0)) == len(stored)


def test_a_region_is_the_mean_of_its_pixels_in_the_slot_of_its_image():
    bank = RegionMemoryBank(3, 8, 5, 10, memory='region')
    embeddings, labels = maps(1)
    bank.update(embeddings, labels, torch.tensor([4, 1]))
    slots, valid = bank.keys_by_class()
    for position, image in enumerate([4, 1]):
        for label in range(3):
            mean = embeddings[position][:, labels[position] == label].mean(dim=1)
            torch.testing.assert_close(slots[label, image], F.normalize(mean, dim=0))
    assert valid.nonzero()[:, 1].unique().tolist() == [1, 4]


def test_pixels_are_overwritten_oldest_first_whatever_the_batch():
    """A list per class that is cut at its head; the choice of pixels is fixed: one per class."""
    bank = RegionMemoryBank(3, 8, 1, 5, memory='pixel')
    lists = {label: [] for label in range(3)}
    generator = torch.Generator().manual_seed(0)
    for _ in range(7):
        embeddings = torch.randn(2, 8, 1, 4, generator=generator)
        labels = torch.randint(-1, 3, (2, 1, 4), generator=generator)
        for image in range(2):
            seen = set()
            for column in range(4):  # keep the first pixel of each class
                label = int(labels[image, 0, column])
                if label in seen:
                    labels[image, 0, column] = 255
                elif label >= 0:
                    seen.add(label)
                    lists[label].append(F.normalize(embeddings[image, :, 0, column], dim=0))
        bank.update(embeddings, labels)
        slots, valid = bank.keys_by_class()
        for label, history in lists.items():
            assert valid[label].sum() == min(len(history), 5)
            for age, feature in enumerate(reversed(history[-5:])):
                torch.testing.assert_close(slots[label, (len(history) - 1 - age) % 5], feature)


def test_of_more_pixels_than_slots_in_one_batch_the_last_stay():
    bank = RegionMemoryBank(2, 8, 1, 3, memory='pixel', pixels_per_image=2)
    embeddings = torch.randn(4, 8, 2, 2)
    bank.update(embeddings, torch.zeros(4, 2, 2))
    stored = of_class(bank, 0)
    last_two = embeddings[2:].permute(0, 2, 3, 1).flatten(0, 2)
    assert is_among(stored, last_two).all()
    assert is_among(stored, embeddings[3].flatten(1).T).sum() == 2
    assert bank.pixel_pointer.tolist() == [8 % 3, 0]


def test_an_image_twice_in_a_batch_leaves_its_last_region():
    bank = RegionMemoryBank(2, 8, 3, 4, memory='region')
    embeddings = torch.randn(3, 8, 2, 2)
    labels = torch.zeros(3, 2, 2)
    labels[2] = 1  # the last twin does not show class 0, so that the second one stays there
    bank.update(embeddings, labels, torch.tensor([1, 1, 1]))
    slots, valid = bank.keys_by_class()
    assert valid.nonzero().tolist() == [[0, 1], [1, 1]]
    torch.testing.assert_close(slots[0, 1], F.normalize(embeddings[1].mean((1, 2)), dim=0))
    torch.testing.assert_close(slots[1, 1], F.normalize(embeddings[2].mean((1, 2)), dim=0))
    assert bank.region_count.tolist() == [1, 1]


def test_image_indices_beyond_the_slots_wrap_and_negative_ones_are_left_out():
    bank = RegionMemoryBank(1, 8, 3, 4, memory='region')
    embeddings = torch.randn(3, 8, 2, 2)
    bank.update(embeddings, torch.zeros(3, 2, 2), torch.tensor([5, 2, -1]))
    slots, valid = bank.keys_by_class()
    assert valid.tolist() == [[False, False, True]]
    torch.testing.assert_close(slots[0, 2], F.normalize(embeddings[1].mean((1, 2)), dim=0))


def test_only_what_was_written_is_a_key_and_class_zero_is_a_class():
    bank = RegionMemoryBank(3, 8, 4, 5)
    features, labels = bank.keys()
    assert features.shape == (3 * 9, 8)
    assert (labels == -1).all()
    embeddings, _ = maps(0)
    bank.update(embeddings, torch.zeros(2, 6, 7), torch.tensor([0, 2]))
    features, labels = bank.keys()
    assert (labels == 0).sum() == 2 + 5
    assert (labels == -1).sum() == 27 - 7
    torch.testing.assert_close(features[labels == 0].norm(dim=1), torch.ones(7))


def test_ignored_and_foreign_labels_are_never_stored():
    bank = RegionMemoryBank(3, 8, 4, 5, ignore_index=0)
    labels = torch.tensor([0, -1, 3, 255]).view(1, 2, 2)
    bank.update(torch.randn(1, 8, 2, 2), labels, torch.tensor([0]))
    assert (bank.keys()[1] == -1).all()
    bank.update(torch.randn(1, 8, 2, 2), torch.full((1, 2, 2), 2), torch.tensor([0]))
    assert set(bank.keys()[1].tolist()) == {-1, 2}


@pytest.mark.parametrize(
    ('memory', 'slots'), [('both', 27), ('pixel', 15), ('region', 12), ('none', 0)]
)
def test_each_kind_of_memory_has_its_slots_and_updates(memory, slots):
    bank = RegionMemoryBank(3, 8, 4, 5, memory=memory)
    embeddings, labels = maps(0)
    bank.update(embeddings, labels, torch.tensor([0, 1]))
    features, labels = bank.keys()
    assert features.shape == (slots, 8)
    assert labels.shape == (slots,)
    assert (labels >= 0).sum() == {'both': 6 + 15, 'pixel': 15, 'region': 6, 'none': 0}[memory]
    drawn, drawn_labels = bank.draw(4)
    assert drawn.shape == (4, 8)
    assert ((drawn_labels >= 0).all()) == (memory != 'none')


def test_autocast_and_half_precision_maps_store_unit_vectors_of_the_right_class():
    bank = RegionMemoryBank(3, 8, 4, 50, dtype=torch.bfloat16)
    embeddings, labels = maps(0)
    with torch.autocast('cpu', torch.bfloat16):
        bank.update(embeddings.bfloat16(), labels, torch.tensor([0, 1]))
    reference = RegionMemoryBank(3, 8, 4, 50, memory='region')
    reference.update(embeddings, labels, torch.tensor([0, 1]))
    slots, valid = bank.keys_by_class()
    expected, _ = reference.keys_by_class()
    torch.testing.assert_close(slots[:, :2].float(), expected[:, :2], atol=2e-2, rtol=0)
    assert slots.dtype == torch.bfloat16
    assert valid[:, :2].all()


def test_draws_are_distinct_filled_equally_likely_and_carry_their_class():
    bank = RegionMemoryBank(3, 8, 6, 20)
    for step in range(3):
        embeddings, labels = maps(step)
        bank.update(embeddings, labels, torch.tensor([step, 5]))
    features, labels = bank.keys()
    filled = features[labels >= 0]
    hits = torch.zeros(len(filled))
    for _ in range(300):
        drawn, drawn_labels = bank.draw(11)
        match = drawn @ filled.T > 1 - 1e-6
        assert (match.sum(dim=1) == 1).all()
        assert (match.sum(dim=0) <= 1).all()
        hits += match.sum(dim=0)
        assert torch.equal(labels[labels >= 0][match.int().argmax(dim=1)], drawn_labels)
    expected = 300 * 11 / len(filled)
    assert (hits - expected).abs().max() < 5 * expected**0.5

    drawn, drawn_labels = bank.draw(500)  # more than there are: each exactly once
    assert (drawn_labels >= 0).sum() == len(filled)
    own, valid = bank.draw_per_class(500)
    for label in range(3):
        match = own[label][valid[label]] @ of_class(bank, label).T > 1 - 1e-6
        assert torch.equal(match.sum(0), torch.ones(match.shape[1], dtype=torch.long))
    own, valid = bank.draw_per_class(4, classes=torch.tensor([2, 0]))
    assert valid.all()
    for row, label in enumerate([2, 0]):
        assert is_among(own[row], of_class(bank, label)).all()


def test_a_reloaded_bank_equals_one_that_was_never_interrupted():
    banks = [RegionMemoryBank(3, 8, 4, 7) for _ in range(2)]

    def step(bank, number):
        embeddings, labels = maps(number)
        bank.update(
            embeddings,
            labels,
            torch.tensor([number, 3 - number]),
            generator=torch.Generator().manual_seed(number),
        )

    for number in range(4):
        step(banks[0], number)
    for number in range(2):
        step(banks[1], number)
    resumed = RegionMemoryBank(3, 8, 4, 7)
    step(resumed, 3)  # must be forgotten
    resumed.load_state_dict(banks[1].state_dict())
    for number in range(2, 4):
        step(resumed, number)
    for name, buffer in banks[0].state_dict().items():
        assert torch.equal(buffer, resumed.state_dict()[name]), name


def test_a_bank_that_is_not_persistent_stays_out_of_the_state_dict():
    assert RegionMemoryBank(3, 8, 4, 7, persistent=False).state_dict() == {}
    assert 'slots' in RegionMemoryBank(3, 8, 4, 7).state_dict()


def test_the_bank_is_never_copied():
    bank = RegionMemoryBank(3, 8, 4, 7)
    storage = bank.keys()[0].data_ptr()
    for number in range(3):
        bank.update(*maps(number), torch.tensor([0, 1]))
        assert bank.keys()[0].data_ptr() == bank.keys_by_class()[0].data_ptr() == storage


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(embeddings=torch.zeros(2, 7, 4, 4)), r'embeddings must be \(B, 8, H, W\)'),
        (dict(labels=torch.zeros(3, 4, 4)), r'labels must be \(2, H, W\)'),
        (dict(image_index=None), 'image_index must be'),
        (dict(image_index=torch.zeros(3)), 'image_index must be'),
    ],
)
def test_maps_that_do_not_fit_are_named(change, message):
    arguments = dict(
        embeddings=torch.zeros(2, 8, 4, 4),
        labels=torch.zeros(2, 4, 4),
        image_index=torch.zeros(2, dtype=torch.long),
    )
    with pytest.raises(ValueError, match=message):
        RegionMemoryBank(3, 8, 4, 7).update(**{**arguments, **change})


@pytest.mark.parametrize(
    'change',
    [dict(num_classes=0), dict(num_images=0), dict(pixels_per_image=0), dict(memory='all')],
)
def test_impossible_settings_are_named(change):
    settings = dict(num_classes=3, dim=8, num_images=4, pixels_per_class=7)
    with pytest.raises(ValueError, match=next(iter(change))):
        RegionMemoryBank(**{**settings, **change})


def test_a_class_that_is_taken_whole_is_not_copied_and_has_the_keys_of_a_draw():
    bank = RegionMemoryBank(3, 4, 5, 6)
    labels = torch.arange(2).view(2, 1, 1).expand(2, 4, 4)
    bank.update(torch.randn(2, 4, 4, 4), labels, torch.tensor([3, 1]))
    whole, valid = bank.draw_per_class(11, classes=torch.tensor([1]))
    assert whole.untyped_storage().data_ptr() == bank.slots.untyped_storage().data_ptr()
    drawn, exist = bank.draw_per_class(11)  # of several classes: copied
    assert valid.sum() == exist[1].sum() == 1 + 6
    one, two = whole[valid], drawn[1][exist[1]]
    assert torch.equal(one[one[:, 0].argsort()], two[two[:, 0].argsort()])


def test_a_region_memory_refuses_to_embed_few_pixels_only():
    bank = RegionMemoryBank(2, 3, 4, 4)
    with pytest.raises(ValueError, match='leave out project'):
        bank.update(
            torch.randn(1, 5, 4, 4), torch.zeros(1, 4, 4), torch.tensor([0]), project=lambda x: x
        )


@pytest.mark.slow
def test_reading_and_writing_are_one_graph_for_the_compiler():
    def step(bank, embeddings, labels, index):
        bank.update(embeddings, labels, index)
        return bank.keys()

    plain, compiled = (RegionMemoryBank(3, 4, 5, 6, pixels_per_image=32) for _ in range(2))
    fast = torch.compile(step, backend='aot_eager', fullgraph=True)
    for number in range(3):
        labels = torch.randint(3, (2, 4, 8))
        batch = torch.randn(2, 4, 4, 8), labels, torch.tensor([2 * number, 2 * number + 1])
        torch.manual_seed(number)  # all pixels enter; which of them stay is in their order
        keys, classes = step(plain, *batch)
        torch.manual_seed(number)
        fast_keys, fast_classes = fast(compiled, *batch)
        assert torch.equal(classes, fast_classes)
        torch.testing.assert_close(keys, fast_keys)
