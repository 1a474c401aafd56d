"""A killed and resumed run is the unbroken run: weights, optimiser, random numbers, logs."""

import pytest
import torch
from tiny_run import final_state


def assert_equal(one, two, path='run'):
    """Bit for bit, through nested containers."""
    assert type(one) is type(two), path
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, two), f'{path}: {(one - two).abs().max()}'
    elif isinstance(one, dict):
        assert one.keys() == two.keys(), path
        for key in one:
            assert_equal(one[key], two[key], f'{path}.{key}')
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(two), path
        for index, pair in enumerate(zip(one, two, strict=True)):
            assert_equal(*pair, f'{path}.{index}')
    else:
        assert one == two, path


@pytest.mark.parametrize(
    'options',
    [
        dict(),
        dict(accumulate=2),  # iteration 3, where it resumes, lies between two steps
        dict(randomness=dict(seed=None)),
    ],
    ids=['plain', 'mid-accumulation', 'random-seed'],
)
def test_a_resumed_run_equals_the_unbroken_one(tmp_path, train, options):
    if 'randomness' in options:  # two runs draw two seeds: take the first one's for the second
        seed = train(tmp_path / 'broken', kill_at=5, **options).seed
        train(tmp_path / 'unbroken', randomness=dict(seed=seed))
    else:
        train(tmp_path / 'unbroken', **options)
        train(tmp_path / 'broken', kill_at=5, **options)
    resumed = train(tmp_path / 'broken', resume=True, **options)
    assert resumed.iter == 8
    assert_equal(
        final_state(tmp_path / 'unbroken', 'iter_8.pth'),
        final_state(tmp_path / 'broken', 'iter_8.pth'),
    )


@pytest.mark.parametrize(('counts', 'warns'), [(2, False), (5, True)])
def test_lost_gradients_are_reported_only_where_they_are_lost(tmp_path, train, counts, warns):
    """Iteration 3 of 2 + 2: its gradient comes back. To 5, three gradients are missing one."""
    train(tmp_path, kill_at=5, accumulate=2)
    train(tmp_path, accumulate=counts, resume=True, log_level='WARNING')
    log = max(tmp_path.glob('*/*.log'), key=lambda path: path.stat().st_mtime).read_text()
    assert 'may slightly decrease performance because the model has BatchNorm' in log
    assert ('gradient of some iterations is lost' in log) is warns


def test_an_epoch_based_run_resumes_exactly(tmp_path, train):
    options = dict(epochs=3, save_every=1)
    train(tmp_path / 'unbroken', **options)
    train(tmp_path / 'broken', kill_at=6, **options)  # 4 iterations an epoch
    train(tmp_path / 'broken', resume=True, **options)
    assert_equal(
        final_state(tmp_path / 'unbroken', 'epoch_3.pth'),
        final_state(tmp_path / 'broken', 'epoch_3.pth'),
    )


def test_two_killed_processes_resume_exactly(tmp_path, launch):
    options = dict(accumulate=2)
    assert launch(tmp_path / 'unbroken', **options) == [0, 0]
    assert launch(tmp_path / 'broken', kill_at=5, **options) == [9, 9]
    assert launch(tmp_path / 'broken', resume=True, **options) == [0, 0]
    unbroken = final_state(tmp_path / 'unbroken', 'iter_8.pth')
    assert_equal(unbroken, final_state(tmp_path / 'broken', 'iter_8.pth'))
    assert not unbroken['buffers'][0]
    assert 'backbone.norm1.running_mean' in unbroken['buffers'][1]  # its own data's statistics


def test_the_comparison_notices_a_run_that_lost_its_random_state(tmp_path, train, monkeypatch):
    from semcl_mm.engine.hooks import exact_resume_hook

    train(tmp_path / 'unbroken')
    train(tmp_path / 'broken', kill_at=5)
    monkeypatch.setattr(exact_resume_hook, 'restore_random_state', lambda state: None)
    train(tmp_path / 'broken', resume=True)
    with pytest.raises(AssertionError):
        assert_equal(
            final_state(tmp_path / 'unbroken', 'iter_8.pth')['weights'],
            final_state(tmp_path / 'broken', 'iter_8.pth')['weights'],
        )


def test_the_number_of_workers_changes_neither_the_run_nor_its_resumption(tmp_path, train):
    train(tmp_path / 'none', workers=0)
    train(tmp_path / 'killed', kill_at=5)
    train(tmp_path / 'killed', workers=1, resume=True)
    unbroken = final_state(tmp_path / 'none', 'iter_8.pth')
    assert_equal(unbroken, final_state(tmp_path / 'killed', 'iter_8.pth'))
