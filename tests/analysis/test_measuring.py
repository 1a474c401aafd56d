"""What the benchmarks measure with: medians of turns, and bytes that can be counted by hand."""

import pytest
import torch

from semcl_mm.analysis.measuring import (
    DEVICES,
    milliseconds,
    milliseconds_in_a_row,
    peak_bytes,
    ready,
)

ON = [pytest.param(name, marks=[pytest.mark.gpu] * (name == 'cuda')) for name in DEVICES]
BLOCK = 2**22  # bytes


def two_blocks_at_once(device):
    first = torch.zeros(BLOCK // 4, device=device)
    second = first + 1
    del first
    return second + 1  # takes the place of the first


@pytest.mark.parametrize('device', ON)
def test_the_peak_counts_what_is_alive_at_one_time(device):
    kept = torch.zeros(BLOCK, device=device)  # made before: not counted
    peak = peak_bytes(lambda: two_blocks_at_once(device), device)
    assert peak == pytest.approx(2 * BLOCK, rel=0 if device == 'cpu' else 0.2)
    assert kept.sum() == 0


def test_functions_take_turns_after_a_warm_up_and_the_median_is_returned():
    calls, now = [], 0.0

    def call(name, seconds):
        nonlocal now
        calls.append(name)
        now += seconds.pop(0)

    found = milliseconds(
        {'a': lambda: call('a', [9, 1, 2, 6][calls.count('a') :]), 'b': lambda: call('b', [0.5])},
        rounds=3,
        clock=lambda: now,
    )
    assert calls == ['a', 'b', *'ab' * 3]
    assert found == {'a': 2000, 'b': 500}


@pytest.mark.parametrize('device', ON)
def test_times_are_in_milliseconds(device):
    size = 1024 if device == 'cpu' else 8192  # long beside a stall of a busy machine
    left = torch.ones(size, size, device=device)
    (turn,) = milliseconds({'product': lambda: left @ left}, 3, device).values()
    row = milliseconds_in_a_row(lambda: left @ left, 3, device)
    assert 1e-3 < turn < 1e4
    assert 0.05 < row / turn < 20


def test_a_device_that_is_not_here_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    assert torch.__version__ in ready('cpu')
    with pytest.raises(ValueError, match='finds no CUDA device'):
        ready('cuda')
    with pytest.raises(ValueError, match="got 'tpu'"):
        ready('tpu')
