"""The same history as MMEngine's hook, in one transfer per interval; a NaN stops the run."""

import pytest
import torch
from mmengine.hooks import RuntimeInfoHook
from mmengine.logging import MessageHub

from semcl_mm.engine import DeferredRuntimeInfoHook, NonFiniteLossError
from semcl_mm.engine.hooks.runtime_info_hook import _to_host
from semcl_mm.models import SemCL

KEYS = ('train/loss', 'train/feature_std', 'train/positive_similarity')


def histories(runner):
    scalars = runner.message_hub.log_scalars
    return {key: scalars[key].data[0].tolist() for key in KEYS}


def test_the_history_is_mmengines_number_by_number(tmp_path, train):
    def run(name, hook):
        from tiny_run import tiny_config

        hooks = tiny_config(tmp_path).default_hooks
        hooks.runtime_info = hook
        return histories(train(tmp_path / name, max_iters=7, default_hooks=hooks))

    ours = run('ours', dict(type=DeferredRuntimeInfoHook))
    assert ours == run('theirs', dict(type=RuntimeInfoHook))
    assert all(len(history) == 7 for history in ours.values())


def test_no_scalar_is_read_between_two_transfers(tmp_path, train, monkeypatch):
    reads = []
    original = MessageHub.update_scalar

    def update_scalar(self, name, value, *args, **kwargs):
        assert not isinstance(value, torch.Tensor), f'{name} was handed over on the device'
        reads.append(name)
        return original(self, name, value, *args, **kwargs)

    monkeypatch.setattr(MessageHub, 'update_scalar', update_scalar)
    transfers = []
    monkeypatch.setattr(
        'semcl_mm.engine.hooks.runtime_info_hook._to_host',
        lambda values: transfers.append(len(values)) or _to_host(values),
    )
    items = []
    item = torch.Tensor.item
    monkeypatch.setattr(torch.Tensor, 'item', lambda self: items.append(self) or item(self))
    train(tmp_path, max_iters=8, save_every=100)  # the logger reads at 4 and 8
    assert reads.count('train/loss') == 8
    assert len(transfers) == 2
    assert transfers[0] == transfers[1] == 4 * 5  # loss, 3 monitors, gradient norm
    # the flag of the two finite checks, and AdamW's own step counter on the CPU
    on_graph = [tensor for tensor in items if tensor.requires_grad]
    assert on_graph == []


@pytest.mark.parametrize('bad_value', [float('nan'), float('inf')])
def test_a_loss_that_is_not_finite_stops_before_a_checkpoint(
    tmp_path, train, monkeypatch, bad_value
):
    good = SemCL.loss
    calls = []

    def loss(self, inputs, data_samples=None):
        calls.append(1)
        losses = good(self, inputs, data_samples)
        return {**losses, 'loss': losses['loss'] * (bad_value if len(calls) == 5 else 1)}

    monkeypatch.setattr(SemCL, 'loss', loss)
    with pytest.raises(NonFiniteLossError, match=r'loss is (nan|inf) in iteration 5'):
        train(tmp_path, save_every=3)  # saves at 3; at 6 the loss of 5 is noticed
    assert [path.name for path in tmp_path.glob('*.pth')] == ['iter_3.pth']


def test_mixed_values_come_back_in_order():
    values = [torch.tensor(1.5), 2, torch.tensor(3.0, dtype=torch.float64), torch.tensor([4.0])]
    assert _to_host(values) == [1.5, 2.0, 3.0, 4.0]


def test_an_interval_below_one_is_an_error():
    with pytest.raises(ValueError, match='interval must be at least 1, got 0'):
        DeferredRuntimeInfoHook(interval=0)
