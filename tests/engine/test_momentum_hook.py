"""The target moves once per optimiser step, on half a cosine that ends at 1."""

import math

import pytest
import torch

from semcl_mm.engine import MomentumUpdateHook
from semcl_mm.models import SemCL


def test_the_schedule_is_half_a_cosine_from_the_start_value_to_one():
    hook = MomentumUpdateHook(momentum=0.99)
    for step in range(1, 30000, 997):
        expected = 1 - 0.5 * (1 + math.cos(math.pi * step / 30000)) * (1 - 0.99)
        assert hook.momentum_at(step, 30000) == pytest.approx(expected, abs=1e-15)
    assert hook.momentum_at(30000, 30000) == 1.0
    assert MomentumUpdateHook(0.996, schedule='constant').momentum_at(7, 10) == 0.996


@pytest.mark.parametrize(
    ('accumulate', 'iterations', 'steps'), [(1, 6, 6), (2, 6, 3), (4, 6, 2), (3, 7, 3)]
)
def test_one_update_per_optimiser_step(tmp_path, train, monkeypatch, accumulate, iterations, steps):
    """A last, incomplete accumulation steps as well: 6 = 4 + 2, 7 = 3 + 3 + 1."""
    momenta = []
    monkeypatch.setattr(SemCL, 'update_target', lambda self, momentum: momenta.append(momentum))
    train(tmp_path, accumulate=accumulate, max_iters=iterations)
    hook = MomentumUpdateHook()
    assert momenta == [hook.momentum_at(step, steps) for step in range(1, steps + 1)]
    assert momenta[-1] == 1.0


def test_the_update_comes_after_the_step_and_never_reads_the_device(tmp_path, train, monkeypatch):
    seen = []

    def update(self, momentum):
        assert type(momentum) is float
        seen.append(self.backbone.conv1.weight.clone())

    monkeypatch.setattr(SemCL, 'update_target', update)
    runner = train(tmp_path, max_iters=4)
    assert torch.equal(seen[-1], runner.model.backbone.conv1.weight)
    assert not torch.equal(seen[-1], seen[-2])


def test_a_model_without_a_target_is_an_error(tmp_path, train, monkeypatch):
    monkeypatch.delattr('semcl_mm.models.MomentumEncoder.update_target')
    with pytest.raises(ValueError, match='SemCL has no target encoder'):
        train(tmp_path)


@pytest.mark.parametrize('options', [dict(momentum=1.1), dict(schedule='linear')])
def test_arguments_out_of_range_are_errors(options):
    with pytest.raises(ValueError, match=r'momentum must be|schedule must be'):
        MomentumUpdateHook(**options)
