"""OneCycle against torch's, and in optimiser steps under accumulation."""

import pytest
import torch
from mmengine.optim import OptimWrapper

from semcl_mm.engine import OneCycle

PAPER = dict(pct_start=0.125, div_factor=25.0, final_div_factor=1e4)


def adamw(*learning_rates):
    groups = [{'params': [torch.nn.Parameter(torch.zeros(1))], 'lr': lr} for lr in learning_rates]
    return torch.optim.AdamW(groups)


def numbers_of(optimizer, schedule, total):
    numbers = []
    for _ in range(total):
        groups = optimizer.param_groups
        numbers.append(
            [(group['lr'], group.get('betas', group.get('momentum'))) for group in groups]
        )
        optimizer.step()
        schedule.step()
    return numbers


def torchs_numbers(total, learning_rates, kind=adamw, **options):
    optimizer = kind(*learning_rates)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=list(learning_rates), total_steps=total, **PAPER, **options
    )
    return numbers_of(optimizer, schedule, total)


def our_numbers(total, learning_rates, kind=adamw, **options):
    optimizer = kind(*learning_rates)
    schedule = OneCycle(optimizer, total_steps=total, **PAPER, **options)
    return numbers_of(optimizer, schedule, total)


def test_all_30000_steps_are_torchs_bit_for_bit():
    assert our_numbers(30000, [3.75e-5]) == torchs_numbers(30000, [3.75e-5])


@pytest.mark.parametrize('total', [2, 5, 9, 100])
def test_short_cycles_and_groups_of_their_own_are_torchs(total):
    assert our_numbers(total, [1.0, 0.1]) == torchs_numbers(total, [1.0, 0.1])


def test_without_momentum_cycling_beta_stays():
    numbers = our_numbers(50, [1.0], cycle_momentum=False)
    assert {entry[0][1] for entry in numbers} == {(0.9, 0.999)}
    rates = [entry[0][0] for entry in numbers]
    assert rates == [entry[0][0] for entry in torchs_numbers(50, [1.0])]


def test_sgd_cycles_its_momentum():
    def sgd(*learning_rates):
        optimizer = adamw(*learning_rates)
        return torch.optim.SGD(optimizer.param_groups[0]['params'], *learning_rates, momentum=0.9)

    assert our_numbers(40, [0.5], kind=sgd) == torchs_numbers(40, [0.5], kind=sgd)


def test_the_authors_key_values():
    rates = [entry[0] for entry in our_numbers(30000, [3.75e-5])]
    assert rates[0] == (pytest.approx(1.5e-6), (pytest.approx(0.95), 0.999))
    assert rates[3749] == (pytest.approx(3.75e-5), (pytest.approx(0.85), 0.999))
    assert rates[29999] == (pytest.approx(1.5e-10), (pytest.approx(0.95), 0.999))


def test_with_accumulation_the_values_change_when_the_parameters_do():
    wrapper = OptimWrapper(adamw(1.0), accumulative_counts=3)
    schedule = OneCycle(wrapper, end=30, **PAPER)
    seen = []
    for _ in range(30):
        group = wrapper.optimizer.param_groups[0]
        seen.append((group['lr'], group['betas']))
        schedule.step()
    expected = [entry[0] for entry in torchs_numbers(10, [1.0])]
    assert seen == [value for value in expected for _ in range(3)]


def test_a_cycle_shorter_than_the_run_is_an_error():
    with pytest.raises(ValueError, match=r'total_steps=10\) is shorter than the run of 20'):
        OneCycle(adamw(1.0), total_steps=10, end=20)
    with pytest.raises(ValueError, match='needs total_steps'):
        OneCycle(adamw(1.0))
    with pytest.raises(ValueError, match='by_epoch=False'):
        OneCycle(adamw(1.0), total_steps=10, by_epoch=True)


def test_a_restored_schedule_goes_on_where_it_was():
    unbroken = our_numbers(20, [1.0])
    optimizer = adamw(1.0)
    schedule = OneCycle(optimizer, total_steps=20, **PAPER)
    for _ in range(7):
        schedule.step()
    other = adamw(1.0)
    restored = OneCycle(other, total_steps=20, **PAPER)
    other.load_state_dict(optimizer.state_dict())
    restored.load_state_dict(schedule.state_dict())
    for step in range(7, 19):
        group = other.param_groups[0]
        assert (group['lr'], group['betas']) == unbroken[step][0]
        restored.step()
