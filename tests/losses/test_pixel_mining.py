"""Sampled positives and negatives against loops with ``sorted``, and the two ways to each other."""

import pytest
import torch
import torch.nn.functional as F

from semcl_mm.losses import key_sampling, pixel_drawing, pixel_mining
from semcl_mm.losses.key_sampling import KeySampling
from semcl_mm.losses.pixel_contrast import pixel_contrast
from semcl_mm.losses.pixel_drawing import pixel_contrast_drawn
from semcl_mm.losses.pixel_mining import pixel_contrast_mined


class WholeMemory:
    """A memory of the given keys that draws at random without replacement, by torch alone."""

    def __init__(self, keys, labels, num_classes):
        self.unit, self.labels, self.num_classes = F.normalize(keys.detach()), labels, num_classes

    def counts(self):
        return torch.tensor([int((self.labels == c).sum()) for c in range(self.num_classes)])

    def draw(self, samples, generator=None):
        filled = (self.labels >= 0).nonzero()[:, 0]
        index = torch.zeros(samples, dtype=torch.long)
        labels = torch.full((samples,), -1)
        filled = filled[torch.randperm(len(filled))][:samples]
        index[: len(filled)], labels[: len(filled)] = filled, self.labels[filled]
        return self.unit[index], labels

    def draw_per_class(self, samples, generator=None, classes=None):
        rows = [(self.labels == label).nonzero()[:, 0] for label in classes]
        index = torch.zeros(len(rows), samples, dtype=torch.long)
        valid = torch.zeros(len(rows), samples, dtype=torch.bool)
        for i, row in enumerate(rows):
            row = row[torch.randperm(len(row))][:samples]
            index[i, : len(row)], valid[i, : len(row)] = row, True
        return self.unit[index], valid


def random_case(num_keys=200, classes=4, dim=6, per_class=3, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    anchors = torch.randn(
        classes, per_class, dim, generator=generator, dtype=dtype, requires_grad=True
    )
    labels = torch.arange(classes)[:, None].expand(classes, per_class).clone()
    labels[1, 2] = -1
    labels[3] = -1
    keys = torch.randn(num_keys, dim, generator=generator, dtype=dtype)
    return anchors, labels, keys, torch.randint(-1, classes, (num_keys,), generator=generator)


def loop_with_sorted(anchors, labels, keys, key_labels, tau, positives, negatives):
    """Eq. 3 over the least similar positives and the most similar negatives of each anchor."""
    terms = []
    for anchor, label in zip(F.normalize(anchors, dim=1), labels, strict=True):
        if label < 0:
            continue
        logits = F.normalize(keys) @ anchor / tau
        near = sorted(logits[key_labels == label], key=lambda logit: logit.item())[:positives]
        other = logits[(key_labels >= 0) & (key_labels != label)]
        far = sorted(other, key=lambda logit: logit.item(), reverse=True)[:negatives]
        rest = sum(s.exp() for s in far)
        if near:
            terms.append(sum(-(s.exp() / (s.exp() + rest)).log() for s in near) / len(near))
    return sum(terms) / len(terms)


def both_ways(anchors, labels, keys, key_labels, tau, sampling):
    yield pixel_contrast_mined(
        anchors.flatten(0, 1), labels.flatten(), keys, key_labels, tau, sampling
    )
    if sampling.mode == 'hardest':
        return
    memory = WholeMemory(keys, key_labels, len(anchors))
    yield pixel_contrast_drawn(anchors, labels >= 0, memory, tau, sampling)


def assert_same_loss_and_gradient(ours, expected, anchors):
    torch.testing.assert_close(ours, expected)
    a, b = (torch.autograd.grad(x, anchors, retain_graph=True)[0] for x in (ours, expected))
    torch.testing.assert_close(a, b)


@pytest.mark.parametrize('block', [1, 1 << 22])
def test_hardest_equals_a_loop_that_sorts_positives_and_negatives(block, monkeypatch):
    monkeypatch.setattr(pixel_mining, 'BLOCK_ELEMENTS', block)
    case = random_case()
    expected = loop_with_sorted(case[0].flatten(0, 1), case[1].flatten(), *case[2:], 0.2, 4, 9)
    for ours in both_ways(*case, 0.2, KeySampling('hardest', 4, 9)):
        assert_same_loss_and_gradient(ours, expected, case[0])


def test_semi_hard_with_room_for_all_hard_ones_equals_the_hardest_tenth():
    anchors, labels, keys, key_labels = random_case()
    terms = []
    for anchor, label in zip(anchors.flatten(0, 1), labels.flatten(), strict=True):
        if label >= 0:
            own = int((key_labels == label).sum())
            others = int(((key_labels >= 0) & (key_labels != label)).sum())
            tenths = -(-own // 10), -(-others // 10)
            one = anchor[None], label[None]
            terms.append(loop_with_sorted(*one, keys, key_labels, 0.2, *tenths))
    sampling = KeySampling('semi-hard', 100, 100)
    for ours in both_ways(anchors, labels, keys, key_labels, 0.2, sampling):
        assert_same_loss_and_gradient(ours, sum(terms) / len(terms), anchors)


@pytest.mark.parametrize('mode', ['random', 'hardest'])
def test_choosing_everything_equals_the_exact_loss(mode):
    case = random_case()
    exact = pixel_contrast(case[0].flatten(0, 1), case[1].flatten(), *case[2:], 0.2)
    for ours in both_ways(*case, 0.2, KeySampling(mode, 200, 200)):
        assert_same_loss_and_gradient(ours, exact, case[0])
    whole = KeySampling('semi-hard', 200, 200, hard_fraction=1.0)
    for ours in both_ways(*case, 0.2, whole):
        assert_same_loss_and_gradient(ours, exact, case[0])


@pytest.mark.parametrize('mode', ['random', 'hardest', 'semi-hard'])
def test_chosen_columns_are_distinct_valid_and_hard(mode):
    hardness = torch.randn(50, 300)
    valid = torch.rand(50, 300) < torch.linspace(0, 1, 50)[:, None]
    index, among = KeySampling(mode).choose(hardness, valid, 12, largest=True)
    for row in range(50):
        chosen = index[row][among[row]]
        number = int(valid[row].sum())
        hardest = hardness[row].masked_fill(~valid[row], -torch.inf).argsort(descending=True)
        hard = min(number, max(1, -(-number // 10))) if mode == 'semi-hard' else number
        assert len(chosen.unique()) == len(chosen) == min(12, hard)
        assert valid[row][chosen].all()
        if mode == 'hardest':
            assert set(chosen.tolist()) == set(hardest[: len(chosen)].tolist())
        if mode == 'semi-hard':
            assert set(chosen.tolist()) <= set(hardest[:hard].tolist())


def test_the_bar_parts_off_the_hardest_tenth_exactly_or_by_a_sample(monkeypatch):
    logits = torch.randn(40, 4000)
    valid = torch.rand(40, 4000) < torch.linspace(0, 1, 40)[:, None]
    number = valid.sum(dim=1)
    tenth = (number / 10 - 1e-6).ceil()
    sampling = KeySampling('semi-hard')
    monkeypatch.setattr(key_sampling, 'BAR_COLUMNS', 4000)
    candidates = logits.masked_fill(~valid, -100)
    for sign in (1, -1):
        bar = sampling.bar(sign * candidates, sign == 1, bound=100)
        beyond = (sign * bar <= logits) & valid
        assert torch.equal(beyond.sum(dim=1).float(), tenth)
    monkeypatch.setattr(key_sampling, 'BAR_COLUMNS', 1000)
    beyond = ((logits >= sampling.bar(candidates, True, 100, most=4000)) & valid).sum(dim=1)
    spread = 4 * (0.09 * number / 4).sqrt()  # a quarter of the candidates decides
    assert ((beyond - tenth).abs() <= 5 * spread + 5).all()
    assert not torch.equal(beyond.float(), tenth)


@pytest.mark.parametrize('mode', ['random', 'semi-hard'])
def test_each_candidate_is_chosen_equally_often(mode):
    hardness = torch.arange(100.0).expand(4000, 100)
    index, among = KeySampling(mode).choose(hardness, hardness >= 0, 4, largest=True)
    assert among.all()
    hits = torch.bincount(index.flatten(), minlength=100)
    candidates = hits[90:] if mode == 'semi-hard' else hits
    assert candidates.sum() == 16000
    expected = 16000 / len(candidates)
    assert (candidates - expected).abs().max() < 5 * expected**0.5


@pytest.mark.parametrize('mode', ['random', 'semi-hard'])
@pytest.mark.parametrize('sizes', [[2000] * 5, [6000, 1000, 1000, 1000, 1000]])
def test_the_drawn_form_has_the_mean_and_spread_of_the_one_that_ranks_the_whole_memory(mode, sizes):
    """A clustered memory, balanced or filled mostly by one class; two ways, 40 draws each."""
    torch.manual_seed(0)
    centres = F.normalize(torch.randn(5, 16))
    key_labels = torch.arange(5).repeat_interleave(torch.tensor(sizes))
    keys = F.normalize(centres[key_labels] + 0.25 * torch.randn(10000, 16))
    anchors = centres[:, None] + 0.25 * torch.randn(5, 10, 16)
    labels = torch.arange(5)[:, None].expand(5, 10)
    sampling = KeySampling(mode, 20, 60)
    draws = torch.tensor(
        [list(both_ways(anchors, labels, keys, key_labels, 0.1, sampling)) for _ in range(40)]
    )
    mean, spread = draws.mean(dim=0), draws.std(dim=0)
    assert (mean[0] - mean[1]).abs() < 4 * (spread.square().sum() / 40).sqrt() + 0.005 * mean[0]
    assert spread[1] < 3 * spread[0]


class FixedMemory(WholeMemory):
    """Draws the same keys each time, in an order that leaves classes apart."""

    def draw(self, samples, generator=None):
        with torch.random.fork_rng():
            torch.manual_seed(1)
            return super().draw(samples)

    def draw_per_class(self, samples, generator=None, classes=None):
        pairs = []
        for label in classes.tolist():
            with torch.random.fork_rng():
                torch.manual_seed(label)
                pairs.append(super().draw_per_class(samples, None, torch.tensor([label])))
        return tuple(torch.cat(part) for part in zip(*pairs, strict=True))


@pytest.mark.parametrize('mode', ['random', 'semi-hard'])
@pytest.mark.parametrize('block', [1, 1 << 11, 1 << 22])
def test_drawn_keys_have_the_loss_of_a_loop_over_what_was_drawn_on_any_device(
    mode, block, monkeypatch
):
    """A subset of a larger memory, less than a class or more; host and device paths agree."""
    monkeypatch.setattr(pixel_drawing, 'BLOCK_ELEMENTS', block)
    anchors, labels, keys, key_labels = random_case(num_keys=900)
    memory = FixedMemory(keys, key_labels, 4)
    sampling = KeySampling(mode, 150 if mode == 'random' else 15, 300 if mode == 'random' else 30)
    samples = sampling.pool(sampling.negatives, 4 / 3)
    pool, pool_labels = memory.draw(samples)
    terms = []
    for anchor, label in zip(anchors.flatten(0, 1), labels.flatten(), strict=True):
        if label < 0:
            continue
        unit = F.normalize(anchor, dim=0)
        own, filled = memory.draw_per_class(sampling.pool(sampling.positives), None, label[None])
        near = (own[0][filled[0]] @ unit / 0.2).sort().values
        far = (pool[(pool_labels >= 0) & (pool_labels != label)] @ unit / 0.2).sort().values
        part = 10 if mode == 'semi-hard' else 1
        hard = -(-len(near) // part), -(-len(far) // part)
        near, far = near[: hard[0]], far[-hard[1] :]
        others = int(((key_labels >= 0) & (key_labels != label)).sum())
        wanted = min(sampling.negatives, -(-others // part))
        total = far.logsumexp(0) + torch.tensor(wanted / len(far)).log()
        terms.append(F.softplus(total - near).mean())
    expected = sum(terms) / len(terms)
    for on_host in (True, False):
        for module in (pixel_drawing, key_sampling):
            monkeypatch.setattr(module, 'reads_are_free', lambda x, on_host=on_host: on_host)
        ours = pixel_contrast_drawn(anchors, labels >= 0, memory, 0.2, sampling)
        assert_same_loss_and_gradient(ours, expected, anchors)


@pytest.mark.parametrize('mode', ['random', 'hardest', 'semi-hard'])
def test_nothing_to_contrast_gives_zero_with_a_graph(mode):
    anchors, labels, keys, key_labels = random_case()
    cases = [
        (labels.new_full(labels.shape, -1), key_labels),
        (labels, torch.full_like(key_labels, -1)),
        (labels, torch.full_like(key_labels, 3)),
    ]
    for anchor_labels, own in cases:
        for loss in both_ways(anchors, anchor_labels, keys, own, 0.1, KeySampling(mode, 5, 5)):
            (gradient,) = torch.autograd.grad(loss, anchors)
            assert loss.item() == 0
            assert gradient.abs().sum() == 0


def test_one_class_alone_has_no_negative_and_zero_loss():
    anchors, labels, keys, _ = random_case()
    for loss in both_ways(
        anchors[:1], labels[:1], keys, torch.zeros(len(keys)).long(), 0.1, KeySampling()
    ):
        assert loss.item() == 0


def test_autocast_does_not_lower_the_precision():
    case = random_case(dtype=torch.float32)
    plain = list(both_ways(*case, 0.1, KeySampling()))  # so few keys that all hard ones are taken
    with torch.autocast('cpu', torch.bfloat16):
        lowered = list(both_ways(*case, 0.1, KeySampling()))
    for a, b in zip(plain, lowered, strict=True):
        assert b.dtype == torch.float32
        torch.testing.assert_close(a, b)


def test_the_hardest_of_a_random_subset_are_not_passed_off_as_the_hardest():
    anchors, labels, keys, key_labels = random_case()
    memory = WholeMemory(keys, key_labels, 4)
    with pytest.raises(ValueError, match='needs the whole memory'):
        pixel_contrast_drawn(anchors, labels >= 0, memory, sampling=KeySampling('hardest'))


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(mode='hard'), 'mode must be one of'),
        (dict(positives=0), 'positives must be positive'),
        (dict(hard_fraction=0.0), r'hard_fraction must be in \(0, 1\]'),
        (dict(hard_fraction=1.5), r'hard_fraction must be in \(0, 1\]'),
    ],
)
def test_impossible_settings_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        KeySampling(**change)


@pytest.mark.parametrize('mode', ['hardest', 'random', 'semi-hard'])
def test_a_bfloat16_memory_counts_as_it_is_stored_and_is_never_copied(monkeypatch, mode):
    monkeypatch.setattr(pixel_mining, 'RAISED_ROWS', 64)
    anchors, labels, keys, key_labels = random_case(dtype=torch.float32)
    anchors, labels = anchors.flatten(0, 1), labels.flatten()
    stored = F.normalize(keys).bfloat16()
    results = []
    for memory in (stored, stored.float()):
        value = pixel_contrast_mined(
            *(anchors, labels, memory, key_labels, 0.1, KeySampling(mode, 5, 9)),
            generator=torch.Generator().manual_seed(0),
            normalise_keys=False,
        )
        results.append((value, torch.autograd.grad(value, anchors)[0]))
    torch.testing.assert_close(*results)
