"""FeatureQueue against a plain list with ``append`` and ``pop(0)``."""

import copy

import pytest
import torch
import torch.nn.functional as F

from semcl_mm.memory import FeatureQueue


@pytest.mark.parametrize('sizes', [[3, 4, 5], [7], [20], [1] * 9, [0, 7, 0, 6], [6, 15, 1]])
def test_the_queue_holds_the_last_features_in_ring_order(sizes):
    queue = FeatureQueue(4, 7)
    everything = torch.zeros(0, 4)
    for size in sizes:
        features = torch.randn(size, 4)
        queue.enqueue(features)
        everything = torch.cat([everything, F.normalize(features)])
    total = len(everything)
    expected = {(total - 1 - age) % 7: everything[total - 1 - age] for age in range(min(total, 7))}
    for slot, feature in expected.items():
        torch.testing.assert_close(queue.features[slot], feature)
    assert queue.filled == min(total, 7)
    assert queue.pointer == total % 7
    assert queue.valid.sum() == min(total, 7)


def test_features_are_unit_vectors_from_the_start_and_whatever_was_enqueued():
    queue = FeatureQueue(5, 6)
    torch.testing.assert_close(queue.features.norm(dim=1), torch.ones(6))
    queue.enqueue(torch.randn(4, 5) * 100)
    torch.testing.assert_close(queue.features.norm(dim=1), torch.ones(6))


def test_enqueue_before_backward_leaves_the_gradient_of_the_loss_as_it_was():
    queue = FeatureQueue(4, 6)
    queries = torch.randn(3, 4, requires_grad=True)
    (queries @ queue.features.T).logsumexp(1).sum().backward()
    expected, queries.grad = queries.grad, None
    loss = (queries @ queue.features.T).logsumexp(1).sum()
    queue.enqueue(torch.randn(3, 4))
    loss.backward()
    assert torch.equal(queries.grad, expected)


def test_reading_again_before_one_common_backward_is_an_error_and_no_wrong_gradient():
    queue = FeatureQueue(4, 6)
    queries = torch.randn(3, 4, requires_grad=True)
    loss = (queries @ queue.features.T).sum()
    queue.enqueue(torch.randn(3, 4))
    loss = loss + (queries @ queue.features.T).sum()
    with pytest.raises(RuntimeError, match='modified by an inplace operation'):
        loss.backward()


def test_the_memory_is_never_copied():
    queue = FeatureQueue(4, 6)
    storage = queue.features.data_ptr()
    for _ in range(4):
        queue.enqueue(torch.randn(5, 4))
        assert queue.features.data_ptr() == storage


def test_features_carry_no_gradient():
    queue = FeatureQueue(4, 6)
    queue.enqueue(torch.randn(3, 4, requires_grad=True))
    assert not queue.features.requires_grad


@pytest.mark.parametrize('save', ['state_dict', 'mmengine', 'deepcopy'])
def test_a_saved_and_reloaded_queue_continues_like_the_original(save):
    queue = FeatureQueue(4, 6, dtype=torch.bfloat16)
    queue.enqueue(torch.randn(4, 4))  # still waits to be written
    if save == 'deepcopy':
        other = copy.deepcopy(queue)
    else:
        if save == 'mmengine':
            get_state_dict = pytest.importorskip('mmengine.runner.checkpoint').get_state_dict
            state = get_state_dict(torch.nn.ModuleDict({'queue': queue}))
            state = {name.removeprefix('queue.'): value for name, value in state.items()}
        else:
            state = queue.state_dict()
        other = FeatureQueue(4, 6, dtype=torch.bfloat16)
        other.enqueue(torch.ones(2, 4))  # must not survive loading
        other.load_state_dict(state)
    assert torch.equal(other.features, queue.features)
    more = torch.randn(5, 4)
    queue.enqueue(more)
    other.enqueue(more)
    assert torch.equal(other.features, queue.features)
    assert other.pointer == queue.pointer == 3
    assert other.features.dtype == torch.bfloat16


@pytest.mark.parametrize('shape', [(4,), (3, 5), (2, 3, 4)])
def test_features_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match=r'features must be \(N, 4\)'):
        FeatureQueue(4, 6).enqueue(torch.zeros(shape))


@pytest.mark.parametrize('arguments', [dict(dim=0), dict(size=0), dict(dtype=torch.long)])
def test_impossible_settings_are_refused(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        FeatureQueue(**{'dim': 4, 'size': 6, **arguments})
