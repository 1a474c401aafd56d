"""``--amp`` decides in which precision a run computes, whatever its config says."""

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from torch import nn

from semcl_mm.engine import AmpOptimWrapper, OptimWrapper
from semcl_mm.engine.command_line import train_config
from semcl_mm.engine.options import train_parser


@pytest.fixture
def settings(repository, tmp_path):
    def read(*words):
        config = str(repository / 'configs/semcl/swin-t_voc.py')
        words = [config, '--work-dir', str(tmp_path), *words]
        return train_config(train_parser().parse_args(words)).optim_wrapper

    return read


def test_none_turns_the_mixed_precision_of_a_config_off_and_nothing_else(settings):
    plain, mixed = settings('--amp', 'none'), settings()
    assert (plain.type, mixed.type) == (OptimWrapper, AmpOptimWrapper)
    assert {**mixed, 'type': OptimWrapper, 'dtype': None} == {**plain, 'dtype': None}
    network = nn.Linear(4, 4)
    wrapper = build_optim_wrapper(network, plain)
    assert type(wrapper) is OptimWrapper
    with wrapper.optim_context(network):
        assert network(torch.randn(2, 4)).dtype == torch.float32


@pytest.mark.parametrize(
    ('words', 'dtype'), [(['--amp'], torch.bfloat16), (['--amp', 'fp16'], torch.float16)]
)
def test_a_type_turns_it_on(settings, words, dtype):
    network = nn.Linear(4, 4)
    wrapper = build_optim_wrapper(network, settings(*words))
    with wrapper.optim_context(network):
        assert network(torch.randn(2, 4)).dtype == dtype
    assert (wrapper.loss_scaler is not None) is (dtype == torch.float16)
