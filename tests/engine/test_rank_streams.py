"""Processes of a run draw numbers of their own, from weights that are the same."""

import random

import numpy as np
import pytest
import torch
from mmengine.hooks import Hook
from tiny_run import MomentumUpdateHook

from semcl_mm.distributed import rank


class WriteDraws(Hook):
    """Writes what the first training step of each process would draw, and its weights."""

    priority = 'LOWEST'

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        path = f'{runner.work_dir}/rank{rank()}.pth'
        draws = (
            torch.rand(3).tolist(),
            np.random.rand(3).tolist(),  # noqa: NPY002
            [random.random() for _ in range(3)],
        )
        if runner.iter in (0, 5):
            weights = {name: w.clone() for name, w in runner._unwrapped_model.state_dict().items()}
            torch.save({'draws': torch.tensor(draws), 'weights': weights}, path)


HOOKS = [dict(type=MomentumUpdateHook), dict(type=WriteDraws)]


def written(work_dir, rank):
    return torch.load(work_dir / f'rank{rank}.pth')


@pytest.fixture
def first_steps(tmp_path, launch):
    assert launch(tmp_path, max_iters=1, custom_hooks=HOOKS) == [0, 0]
    return [written(tmp_path, rank) for rank in range(2)]


def test_processes_draw_numbers_of_their_own_and_start_from_the_same_weights(first_steps):
    """With one stream for all, queries of all processes would be rolled and drawn alike."""
    one, two = first_steps
    assert (one['draws'] != two['draws']).all(dim=1).tolist() == [True] * 3  # torch, numpy, random
    assert one['weights'].keys() == two['weights'].keys()
    for name, weight in one['weights'].items():
        assert torch.equal(weight, two['weights'][name]), name


def test_the_first_process_draws_what_a_run_of_one_process_draws(first_steps, tmp_path, train):
    train(tmp_path / 'alone', max_iters=1, custom_hooks=HOOKS)
    assert torch.equal(first_steps[0]['draws'], written(tmp_path / 'alone', 0)['draws'])


def test_processes_that_resume_a_run_of_one_process_have_streams_as_well(tmp_path, train, launch):
    train(tmp_path, kill_at=4)  # iter_3.pth holds the numbers of one process
    assert launch(tmp_path, max_iters=6, resume=True, custom_hooks=HOOKS) == [0, 0]
    one, two = (written(tmp_path, rank)['draws'] for rank in range(2))
    assert (one != two).all()


def test_seeds_that_differ_by_process_already_are_left_alone(tmp_path, launch):
    options = dict(max_iters=1, custom_hooks=HOOKS)
    assert launch(tmp_path, randomness=dict(seed=0, diff_rank_seed=True), **options) == [0, 0]
    one, two = (written(tmp_path, rank)['draws'] for rank in range(2))
    assert (one != two).all()
