"""Few parameter groups, no frozen parameters, mixed precision on the CPU as well."""

import pytest
import torch
from mmengine.optim import DefaultOptimWrapperConstructor
from torch import nn

from semcl_mm.engine import AmpOptimWrapper, GroupedOptimWrapperConstructor, OptimWrapper


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 8), nn.LayerNorm(8), nn.Linear(8, 8))
        self.head = nn.Linear(8, 2)
        self.target = nn.Linear(8, 2).requires_grad_(False)


def build(constructor, model, **paramwise):
    config = dict(
        type=OptimWrapper,
        optimizer=dict(type=torch.optim.AdamW, lr=0.1, weight_decay=0.05),
    )
    return constructor(config, paramwise_cfg=paramwise or None)(model)


def settings_of(wrapper, model):
    names = {parameter: name for name, parameter in model.named_parameters()}
    return {
        names[parameter]: (group['lr'], group['weight_decay'])
        for group in wrapper.optimizer.param_groups
        for parameter in group['params']
    }


def test_equal_settings_share_a_group_and_are_mmengines():
    model = Network()
    rules = dict(norm_decay_mult=0.0, bias_decay_mult=0.0, custom_keys={'head': dict(lr_mult=10.0)})
    ours = build(GroupedOptimWrapperConstructor, model, **rules)
    theirs = build(DefaultOptimWrapperConstructor, model, **rules)
    assert settings_of(ours, model) == settings_of(theirs, model)
    assert len(ours.optimizer.param_groups) == 3
    assert len(theirs.optimizer.param_groups) == 8


def test_frozen_parameters_stay_out_without_rules_too():
    model = Network()
    wrapper = build(GroupedOptimWrapperConstructor, model)
    assert not any(name.startswith('target') for name in settings_of(wrapper, model))
    assert len(settings_of(wrapper, model)) == 8


def test_clipping_keeps_the_norm_as_a_tensor():
    model = nn.Linear(3, 1, bias=False)
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=1.0), clip_grad=dict(max_norm=1))
    before = model.weight.detach().clone()
    wrapper.update_params((model.weight * torch.tensor([3.0, 0.0, 4.0])).sum())
    torch.testing.assert_close(wrapper.gradient_norm, torch.tensor(5.0))
    torch.testing.assert_close(before - model.weight, torch.tensor([[0.6, 0.0, 0.8]]))


def test_bfloat16_on_the_cpu_autocasts_and_steps_in_float32():
    model = nn.Linear(4, 4)
    wrapper = AmpOptimWrapper(optimizer=torch.optim.SGD(model.parameters(), lr=0.1))
    with wrapper.optim_context(model):
        output = model(torch.randn(2, 4))
    assert output.dtype == torch.bfloat16
    wrapper.update_params(output.float().mean())
    assert model.weight.dtype == torch.float32
    assert 'loss_scaler' not in wrapper.state_dict()


@pytest.mark.parametrize('dtype', ['bfloat16', 'float16'])
def test_a_cpu_that_would_emulate_a_type_computes_in_float32_and_says_so(
    plain_cpu, monkeypatch, dtype
):
    said = []
    monkeypatch.setattr(
        'semcl_mm.engine.optim_wrapper.print_log', lambda text, *rest: said.append(text)
    )
    model = nn.Linear(4, 4)
    wrapper = AmpOptimWrapper(dtype, optimizer=torch.optim.SGD(model.parameters(), lr=0.1))
    with wrapper.optim_context(model):
        assert model(torch.randn(2, 4)).dtype == torch.float32
    assert [f'no {dtype} instructions' in text for text in said] == [True]
    before = model.weight.detach().clone()
    wrapper.update_params(model.weight.sum())
    torch.testing.assert_close(model.weight, before - 0.1)


def test_float16_scales_the_loss_and_steps_as_float32_would():
    weights = torch.tensor([[3.0, 0.0, 4.0]])
    scaled, plain = nn.Linear(3, 1), nn.Linear(3, 1)
    scaled.load_state_dict(plain.state_dict())
    optimizers = [torch.optim.SGD(model.parameters(), lr=1.0) for model in (scaled, plain)]
    wrapper = AmpOptimWrapper(
        'float16', 2.0**10, optimizer=optimizers[0], clip_grad={'max_norm': 1}
    )
    reference = OptimWrapper(optimizers[1], clip_grad={'max_norm': 1})
    with wrapper.optim_context(scaled):
        assert scaled(weights).dtype == torch.float16
    wrapper.update_params((scaled.weight * weights).sum())
    reference.update_params((plain.weight * weights).sum())
    torch.testing.assert_close(scaled.weight, plain.weight)
    torch.testing.assert_close(wrapper.gradient_norm, torch.tensor(5.0))


def test_float16_skips_a_step_that_overflowed_and_halves_its_scale():
    model = nn.Linear(2, 1)
    before = model.weight.detach().clone()
    wrapper = AmpOptimWrapper('float16', optimizer=torch.optim.SGD(model.parameters(), lr=1.0))
    wrapper.update_params((model.weight * float('inf')).sum())
    assert torch.equal(model.weight, before)
    assert wrapper.state_dict()['loss_scaler']['scale'] == 2.0**15
    wrapper.update_params(model.weight.sum())
    torch.testing.assert_close(model.weight, before - 1)


def test_a_run_in_float16_resumes_exactly_with_its_scale(tmp_path, train):
    from tiny_run import final_state, tiny_config

    wrapper = tiny_config(tmp_path).optim_wrapper
    scaler = dict(init_scale=2.0**4, growth_interval=2)
    wrapper.update(type=AmpOptimWrapper, dtype='float16', loss_scale=scaler)
    train(tmp_path / 'unbroken', optim_wrapper=wrapper)
    train(tmp_path / 'broken', kill_at=5, optim_wrapper=wrapper)
    train(tmp_path / 'broken', resume=True, optim_wrapper=wrapper)
    one, two = (final_state(tmp_path / run, 'iter_8.pth') for run in ('unbroken', 'broken'))
    assert one['optimizer']['loss_scaler'] == two['optimizer']['loss_scaler']
    assert one['optimizer']['loss_scaler']['scale'] == 2.0**8  # doubled every other step
    for key, value in one['weights'].items():
        assert torch.equal(value, two['weights'][key]), key


def test_an_unknown_type_is_an_error():
    with pytest.raises(ValueError, match="got 'int8'"):
        AmpOptimWrapper('int8', optimizer=torch.optim.SGD(nn.Linear(1, 1).parameters()))


def test_semcl_trains_in_bfloat16(tmp_path, train):
    from tiny_run import tiny_config

    wrapper = tiny_config(tmp_path).optim_wrapper
    wrapper.update(type=AmpOptimWrapper, dtype='bfloat16')
    runner = train(tmp_path, max_iters=3, optim_wrapper=wrapper)
    assert runner.message_hub.log_scalars['train/loss'].data[0].tolist()[-1] > 0
