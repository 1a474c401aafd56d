"""Pixel contrast, Eq. 3, against a loop over anchors and positives transcribed from the paper."""

import importlib
import math

import pytest
import torch
from torch.autograd import gradcheck

from semcl_mm.losses import class_segments, positive_term
from semcl_mm.losses.pixel_contrast import PixelContrastLoss, pixel_contrast
from semcl_mm.memory import RegionMemoryBank

# The package exports the function under its module's name, which an import statement would return.
module = importlib.import_module('semcl_mm.losses.pixel_exact')


def loop_over_anchors(anchors, labels, keys, key_labels, tau, exclude_self=False, images=None):
    """-log(e^p / (e^p + sum of e^n)), mean over positives, mean over anchors that have one."""
    anchors = anchors / anchors.norm(dim=1, keepdim=True)
    keys = keys / keys.norm(dim=1, keepdim=True)
    terms = []
    for i in range(len(anchors)):
        if labels[i] < 0:
            continue
        here = [
            j
            for j in range(len(keys))
            if key_labels[j] >= 0 and (images is None or images[0][i] == images[1][j])
        ]
        positives = [
            j for j in here if key_labels[j] == labels[i] and not (exclude_self and i == j)
        ]
        negatives = [j for j in here if key_labels[j] != labels[i]]
        if not positives:
            continue
        rest = sum(torch.exp(anchors[i] @ keys[n] / tau) for n in negatives)
        own = [torch.exp(anchors[i] @ keys[p] / tau) for p in positives]
        terms.append(sum(-torch.log(e / (e + rest)) for e in own) / len(own))
    return sum(terms) / len(terms) if terms else anchors.sum() * 0


def random_case(num_anchors=13, num_keys=40, classes=4, dim=5, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return (
        torch.randn(num_anchors, dim, generator=generator, dtype=dtype, requires_grad=True),
        torch.randint(-1, classes, (num_anchors,), generator=generator),
        torch.randn(num_keys, dim, generator=generator, dtype=dtype, requires_grad=True),
        torch.randint(-1, classes, (num_keys,), generator=generator),
    )


@pytest.fixture(params=['by class', 'masked'])
def order(request, monkeypatch):
    """Both ways to visit positives: sorted rectangles (CPU), and every pair (no host reads)."""
    if request.param == 'masked':
        monkeypatch.setattr(module, '_by_class', lambda anchors, pairing: anchors)
    return request.param


@pytest.fixture(params=['streamed', 'at once'])
def among(request, monkeypatch):
    """Both ways to contrast anchors with themselves: in blocks, and in one small product."""
    if request.param == 'streamed':
        monkeypatch.setattr(module, 'MOST_ANCHORS', 0)


@pytest.mark.parametrize('with_images', [False, True])
def test_contrast_among_anchors_equals_a_loop_in_both_ways(order, among, with_images):
    anchors, labels, _, _ = random_case(14)
    images = torch.arange(14) % 2 if with_images else None
    pair = (images, images) if with_images else None
    expected = loop_over_anchors(anchors, labels, anchors, labels, 0.1, True, pair)
    ours = pixel_contrast(
        anchors, labels, anchors, labels, 0.1, True, anchor_images=images, key_images=images
    )
    torch.testing.assert_close(ours, expected)
    a, b = (torch.autograd.grad(x, anchors)[0] for x in (ours, expected))
    torch.testing.assert_close(a, b)


@pytest.mark.parametrize('labels', [[-1, -1, -1], [0, 0, 0], [0, 1, 2]])
def test_among_anchors_of_none_one_or_all_different_classes_the_loss_is_zero(order, among, labels):
    anchors, labels = torch.randn(3, 4, requires_grad=True), torch.tensor(labels)
    loss = pixel_contrast(anchors, labels, anchors, labels, exclude_self=True)
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(anchors.grad, torch.zeros_like(anchors))


@pytest.mark.parametrize('with_images', [False, True])
@pytest.mark.parametrize('exclude_self', [False, True])
@pytest.mark.parametrize('block', [2, 1 << 20])
def test_value_and_gradients_equal_a_loop_over_anchors_and_positives(
    order, exclude_self, with_images, block, monkeypatch
):
    # max(256, ...) keys a block: 600 keys make three blocks.
    monkeypatch.setattr(positive_term, 'BLOCK_ELEMENTS', block)
    anchors, labels, keys, key_labels = random_case(9, 600 if block == 2 else 40)
    if exclude_self:
        keys, key_labels = anchors, labels
    images = None
    if with_images:
        images = torch.arange(len(anchors)) % 2, torch.arange(len(keys)) % 2
    expected = loop_over_anchors(anchors, labels, keys, key_labels, 0.1, exclude_self, images)
    ours = pixel_contrast(
        anchors,
        labels,
        keys,
        key_labels,
        0.1,
        exclude_self,
        anchor_images=images and images[0],
        key_images=images and images[1],
    )
    torch.testing.assert_close(ours, expected, rtol=1e-10, atol=1e-12)
    inputs = [anchors] if exclude_self else [anchors, keys]
    for a, b in zip(
        torch.autograd.grad(ours, inputs), torch.autograd.grad(expected, inputs), strict=True
    ):
        torch.testing.assert_close(a, b, rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize('exclude_self', [False, True])
def test_gradient_passes_a_numerical_check(order, among, exclude_self):
    anchors, labels, keys, key_labels = random_case(7, 12, classes=3, dim=4, seed=3)
    if exclude_self:
        assert gradcheck(lambda x: pixel_contrast(x, labels, x, labels, 0.5, True), (anchors,))
    else:
        assert gradcheck(
            lambda x, k: pixel_contrast(x, labels, k, key_labels, 0.5), (anchors, keys)
        )


def test_keys_already_in_the_order_of_classes_give_the_same_loss_as_shuffled_ones():
    anchors, labels, keys, key_labels = random_case(20, 300, dtype=torch.float32)
    order = key_labels.sort(stable=True).indices
    shuffled = pixel_contrast(anchors, labels, keys, key_labels)
    in_order = pixel_contrast(anchors, labels, keys[order], key_labels[order])
    torch.testing.assert_close(shuffled, in_order)


def test_two_equal_positives_and_one_negative_have_the_closed_form():
    """x = p, x . n = 0: L = log(1 + exp(0 - 1 / tau)) for each positive, not SupCon's log 2 + …"""
    x = torch.tensor([[1.0, 0.0]])
    keys = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    loss = pixel_contrast(x, torch.tensor([0]), keys, torch.tensor([0, 0, 1]), 0.5)
    assert loss.item() == pytest.approx(math.log1p(math.exp(-2)))


def test_length_of_anchors_and_keys_does_not_matter():
    anchors, labels, keys, key_labels = random_case()
    torch.testing.assert_close(
        pixel_contrast(anchors * 7, labels, keys * 0.3, key_labels),
        pixel_contrast(anchors, labels, keys, key_labels),
    )


def test_keys_without_gradient_are_left_alone_and_anchors_get_the_same_gradient():
    anchors, labels, keys, key_labels = random_case()
    (both,) = torch.autograd.grad(pixel_contrast(anchors, labels, keys, key_labels), anchors)
    constant = keys.detach()
    (alone,) = torch.autograd.grad(pixel_contrast(anchors, labels, constant, key_labels), anchors)
    torch.testing.assert_close(both, alone)


@pytest.mark.parametrize(
    ('labels', 'key_labels'),
    [
        ([-1, -1], [0, 1, 1]),  # nothing but ignored anchors
        ([0, 1], [-1, -1, -1]),  # an empty bank
        ([2, 2], [0, 1, 1]),  # anchors without a positive
        ([0, 0], []),  # no key at all
        ([], [0, 1]),  # no anchor at all
    ],
)
def test_where_nothing_counts_the_loss_is_zero_and_keeps_its_graph(order, labels, key_labels):
    anchors = torch.randn(len(labels), 4, requires_grad=True)
    keys = torch.randn(len(key_labels), 4, requires_grad=True)
    loss = pixel_contrast(
        anchors, torch.tensor(labels).long(), keys, torch.tensor(key_labels).long()
    )
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(anchors.grad, torch.zeros_like(anchors))


def test_without_any_negative_the_loss_is_exactly_zero_and_finite(order):
    anchors = torch.randn(3, 4, requires_grad=True)
    loss = pixel_contrast(anchors, torch.zeros(3), torch.randn(5, 4), torch.zeros(5))
    loss.backward()
    assert loss.item() == 0
    assert torch.isfinite(anchors.grad).all()


@pytest.mark.parametrize('temperature', [1e-3, 0.07, 10.0])
def test_extreme_temperatures_stay_finite_and_right(order, temperature):
    anchors, labels, keys, key_labels = random_case(dtype=torch.float32)
    loss = pixel_contrast(anchors, labels, keys, key_labels, temperature)
    loss.backward()
    exact = pixel_contrast(anchors.double(), labels, keys.double(), key_labels, temperature)
    torch.testing.assert_close(loss.double(), exact, rtol=1e-4, atol=1e-6)
    assert torch.isfinite(anchors.grad).all()
    assert torch.isfinite(keys.grad).all()


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_autocast_does_not_lower_the_precision(order, dtype):
    anchors, labels, keys, key_labels = random_case(dtype=torch.float32)
    plain = pixel_contrast(anchors, labels, keys, key_labels)
    expected = torch.autograd.grad(plain, [anchors, keys])
    with torch.autocast('cpu', dtype):
        loss = pixel_contrast(anchors, labels, keys, key_labels)
    assert loss.dtype == torch.float32
    assert torch.equal(loss, plain)
    for a, b in zip(torch.autograd.grad(loss, [anchors, keys]), expected, strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_a_half_precision_bank_is_exact_for_the_values_it_stores(order, dtype):
    anchors, labels, keys, key_labels = random_case(dtype=torch.float32)
    stored = torch.nn.functional.normalize(keys.detach()).to(dtype)
    torch.testing.assert_close(
        pixel_contrast(anchors, labels, stored, key_labels),
        pixel_contrast(anchors, labels, stored.float(), key_labels),
    )


@pytest.mark.parametrize('num_keys', [7, 900])
@pytest.mark.parametrize('temperature', [1e-3, 0.1, 10.0])
def test_constant_keys_have_the_value_and_gradient_of_a_loop_in_segments(
    num_keys, temperature, monkeypatch
):
    """Classes without anchors before, between and after; keys of no class; several blocks."""
    monkeypatch.setattr(class_segments, 'BLOCK_ELEMENTS', 1)
    anchors, labels, keys, key_labels = random_case(15, num_keys, classes=9)
    labels = torch.where((labels == 0) | (labels == 4) | (labels == 8), 5, labels)
    keys = keys.detach()
    expected = pixel_contrast(anchors, labels, keys.clone().requires_grad_(), key_labels, 0.1)
    if temperature == 0.1:
        loop = loop_over_anchors(anchors, labels, keys, key_labels, 0.1)
        torch.testing.assert_close(expected, loop)
    expected = pixel_contrast(
        anchors, labels, keys.clone().requires_grad_(), key_labels, temperature
    )
    ours = pixel_contrast(anchors, labels, keys, key_labels, temperature)
    torch.testing.assert_close(ours, expected)
    a, b = (torch.autograd.grad(x, anchors)[0] for x in (ours, expected))
    torch.testing.assert_close(a, b)


def test_bfloat16_products_come_close_to_exact_ones_and_stay_off_unless_asked_for():
    anchors, labels, keys, key_labels = random_case(50, 3000, dim=32, dtype=torch.float32)
    stored = torch.nn.functional.normalize(keys.detach()).bfloat16()
    exact = pixel_contrast(anchors, labels, stored, key_labels)
    rough = pixel_contrast(anchors, labels, stored, key_labels, half_products=True)
    assert not torch.equal(exact, rough)
    torch.testing.assert_close(rough, exact, rtol=1e-3, atol=0)
    a, b = (torch.autograd.grad(x, anchors)[0] for x in (rough, exact))
    assert torch.cosine_similarity(a.flatten(), b.flatten(), dim=0) > 0.9999


def test_half_precision_embeddings_receive_a_gradient_of_their_own_type():
    anchors, labels, keys, key_labels = random_case(dtype=torch.bfloat16)
    pixel_contrast(anchors, labels, keys, key_labels).backward()
    assert anchors.grad.dtype == keys.grad.dtype == torch.bfloat16


def test_no_tensor_of_anchors_times_keys_is_made(order):
    """The largest tensor that any operation returns stays a small part of A x M."""
    from torch.utils._python_dispatch import TorchDispatchMode

    class Largest(TorchDispatchMode):
        elements = 0

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            out = func(*args, **(kwargs or {}))
            for part in out if isinstance(out, (tuple, list)) else [out]:
                if isinstance(part, torch.Tensor):
                    self.elements = max(self.elements, part.numel())
            return out

    anchors = torch.randn(400, 8, requires_grad=True)
    labels = torch.arange(400) % 19
    key_labels = torch.arange(19).repeat_interleave(4000)
    keys = torch.randn(len(key_labels), 8)
    with Largest() as largest:
        pixel_contrast(anchors, labels, keys, key_labels).backward()
    assert largest.elements <= max(positive_term.BLOCK_ELEMENTS, keys.numel())
    assert largest.elements < anchors.shape[0] * len(keys) / 10


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(temperature=0.0), 'temperature must be positive'),
        (dict(keys=torch.zeros(3, 7)), r'keys must be \(M, D\)'),
        (dict(exclude_self=True), 'exclude_self needs the anchors as keys'),
        (dict(anchor_images=torch.zeros(2)), 'go together'),
    ],
)
def test_bad_arguments_are_named(change, message):
    arguments = dict(
        anchors=torch.zeros(2, 4),
        anchor_labels=torch.zeros(2),
        keys=torch.zeros(3, 4),
        key_labels=torch.zeros(3),
    )
    with pytest.raises(ValueError, match=message):
        pixel_contrast(**{**arguments, **change})


# The module ------------------------------------------------------------------------------------


def small_batch(seed=0):
    generator = torch.Generator().manual_seed(seed)
    embeddings = torch.randn(2, 6, 8, 10, generator=generator, requires_grad=True)
    labels = torch.randint(0, 4, (2, 16, 20), generator=generator)
    labels[labels == 3] = 255
    scores = torch.randn(2, 3, 8, 10, generator=generator)
    return embeddings, labels, scores


def filled_bank(memory='both', classes=3, dtype=torch.float32):
    bank = RegionMemoryBank(classes, 6, 4, 50, memory=memory, dtype=dtype)
    for step in range(3):
        embeddings, labels, _ = small_batch(step)
        bank.update(embeddings, labels, torch.tensor([step, 3]))
    return bank


@pytest.mark.parametrize('key_sampling', ['all', 'random', 'hardest', 'semi-hard'])
@pytest.mark.parametrize('key_scope', ['drawn', 'memory'])
@pytest.mark.parametrize('memory', ['both', 'pixel', 'region', 'none'])
def test_every_kind_of_memory_and_sampling_gives_a_finite_loss_and_gradient(
    key_sampling, key_scope, memory
):
    if key_sampling == 'hardest':
        key_scope = 'memory'
    embeddings, labels, scores = small_batch()
    loss = PixelContrastLoss(
        3, key_sampling=key_sampling, key_scope=key_scope, num_positives=5, num_negatives=7
    )(embeddings, labels, scores, filled_bank(memory))
    loss.backward()
    assert torch.isfinite(embeddings.grad).all()
    assert loss.item() > 0  # without a memory the anchors are each other's keys


def test_with_all_pixels_as_anchors_the_module_equals_the_function_on_the_whole_map():
    embeddings, labels, _ = small_batch()
    flat = embeddings.permute(0, 2, 3, 1).flatten(0, 2)
    small = labels[:, ::2, ::2].flatten()
    small = small.where(small != 255, -1)
    bank = filled_bank()
    module_loss = PixelContrastLoss(
        3, anchor_mode='random', anchors_per_class=160, key_sampling='all', loss_weight=0.5
    )
    torch.testing.assert_close(
        module_loss(embeddings, labels, memory=bank),
        0.5 * pixel_contrast(flat, small, *bank.keys()),
    )
    images = torch.arange(160) // 80
    intra = PixelContrastLoss(
        3, anchor_mode='random', anchors_per_class=160, intra_image=True, loss_weight=2.0
    )
    torch.testing.assert_close(
        intra(embeddings, labels),
        2 * loop_over_anchors(flat, small, flat, small, 0.1, True, (images, images)),
    )


def test_update_between_loss_and_backward_leaves_the_gradient_as_it_was():
    embeddings, labels, _ = small_batch()
    loss_module = PixelContrastLoss(
        3, anchor_mode='random', anchors_per_class=160, key_sampling='all'
    )
    bank = filled_bank()
    loss = loss_module(embeddings, labels, memory=bank)
    (expected,) = torch.autograd.grad(loss, embeddings, retain_graph=True)
    bank.update(embeddings, labels, torch.tensor([0, 1]))
    (after,) = torch.autograd.grad(loss, embeddings)
    assert torch.equal(after, expected)


def test_a_batch_of_ignored_pixels_gives_zero_with_a_graph():
    embeddings, labels, scores = small_batch()
    for memory in (None, filled_bank()):
        loss = PixelContrastLoss(3)(embeddings, torch.full_like(labels, 255), scores, memory)
        loss.backward()
        assert loss.item() == 0
        assert embeddings.grad.abs().sum() == 0


def test_intra_image_contrast_with_a_memory_is_refused():
    embeddings, labels, scores = small_batch()
    with pytest.raises(ValueError, match='leave out the memory'):
        PixelContrastLoss(3, intra_image=True)(embeddings, labels, scores, filled_bank())


@pytest.mark.slow
@pytest.mark.parametrize('key_sampling', ['all', 'semi-hard'])
def test_the_module_is_one_graph_for_the_compiler_and_keeps_its_value_and_gradient(key_sampling):
    """All pixels are anchors and all keys are taken, so that chance does not enter."""
    embeddings, labels, _ = small_batch()
    loss = PixelContrastLoss(
        3, anchor_mode='random', anchors_per_class=160, key_sampling=key_sampling, hard_fraction=1.0
    )
    bank = filled_bank()
    compiled = torch.compile(loss, backend='aot_eager', fullgraph=True)
    values = compiled(embeddings, labels, memory=bank), loss(embeddings, labels, memory=bank)
    torch.testing.assert_close(*values)
    gradients = [torch.autograd.grad(value, embeddings)[0] for value in values]
    assert gradients[1].abs().sum() > 0
    torch.testing.assert_close(*gradients)


@pytest.mark.slow
def test_the_default_compiler_takes_the_losses():
    """Inductor is what users have; backends for tests do not see what it cannot lower."""
    anchors, keys = torch.randn(12, 8, requires_grad=True), torch.randn(40, 8)
    labels, key_labels = torch.arange(12) % 3, torch.arange(40) % 4
    arguments = anchors, labels, keys, key_labels
    compiled = torch.compile(pixel_contrast)(*arguments)
    torch.testing.assert_close(compiled, pixel_contrast(*arguments))
    (gradient,) = torch.autograd.grad(compiled, anchors)
    torch.testing.assert_close(
        gradient, torch.autograd.grad(pixel_contrast(*arguments), anchors)[0]
    )
