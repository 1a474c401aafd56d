"""An override reaches something, or stops with what it may have meant."""

import pytest
import torch
from mmengine.config import Config
from tiny_run import TinyBackbone, tiny_config

from semcl_mm.engine import check_overrides
from semcl_mm.engine.overrides import check_top_level
from semcl_mm.models import TimmBackbone


@pytest.fixture
def config(tmp_path):
    return tiny_config(tmp_path)


@pytest.mark.parametrize(
    'key',
    [
        'train_cfg.max_iters',
        'model.symmetric',  # an argument of SemCL that the config leaves at its default
        'model.stop_grad_conv1',
        'model.loss.temperature',
        'optim_wrapper.optimizer.betas',
        'optim_wrapper.optimizer.lr',
        'optim_wrapper.clip_grad.max_norm',
        'optim_wrapper.paramwise_cfg.bias_decay_mult',
        'optim_wrapper.paramwise_cfg.custom_keys.backbone.lr_mult',
        'train_dataloader.pin_memory',
        'train_dataloader.sampler.shuffle',
        'param_scheduler.0.pct_start',
        'custom_hooks.0.momentum',
        'custom_hooks.0.priority',
        'default_hooks.checkpoint.interval',
        'default_hooks.mine.type',
        'env_cfg.dist_cfg.timeout',
        'randomness.deterministic',
        'load_from',
        'sync_bn',
        'channels_last',
        'compile',
        'find_unused_parameters',
        'auto_scale_lr.enable',
        'model.data_preprocessor.non_blocking',
    ],
)
def test_what_something_reads_is_allowed(config, key):
    check_overrides(config, {key: 1})


@pytest.mark.parametrize(
    ('key', 'message'),
    [
        ('max_iters', "the config has no key 'max_iters'"),
        ('train_cfg.max_iter', r"train_cfg has no key 'max_iter'; did you mean max_iters"),
        ('modle.symmetric', "the config has no key 'modle'; did you mean model"),
        ('model.symetric', "model has no key 'symetric'; did you mean symmetric"),
        ('model.loss.temprature', 'did you mean temperature'),
        ('model.projector.width', r'it has .*hidden_channels'),
        ('optim_wrapper.optimizer.learning_rate', "no key 'learning_rate'"),
        ('optim_wrapper.acumulative_counts', 'did you mean accumulative_counts'),
        ('train_dataloader.bacth_size', 'did you mean batch_size'),
        ('custom_hooks.0.momentun', 'did you mean momentum'),
        ('custom_hooks.3.momentum', r'custom_hooks is a list of 1'),
        ('custom_hooks.first', r"0…0, not 'first'"),
        ('randomness.sed', 'did you mean seed'),
        ('default_hooks.chekpoint.interval', 'did you mean checkpoint'),
        ('default_hooks.checkpoint.intervall', 'did you mean interval'),
        ('train_cfg.max_iters.value', 'train_cfg.max_iters is 8 in the config'),
        ('optim_wrapper.paramwise_cfg.norm_decay', 'did you mean norm_decay_mult'),
    ],
)
def test_what_nothing_reads_is_an_error_with_a_hint(config, key, message):
    with pytest.raises(ValueError, match=message) as error:
        check_overrides(config, {key: 1})
    assert f'--cfg-options {key}' in str(error.value)


@pytest.mark.parametrize(
    ('place', 'key', 'meant'),
    [
        ('auto_scale_lr', 'enabel', 'enable'),
        ('env_cfg', 'cudnn_benchmrk', 'cudnn_benchmark'),
        ('optim_wrapper.paramwise_cfg', 'norm_decay_mul', 'norm_decay_mult'),
        ('optim_wrapper.optimizer', 'weight_decai', 'weight_decay'),
        ('train_cfg', 'max_iter', 'max_iters'),
        ('randomness', 'sed', 'seed'),
        ('train_dataloader', 'bacth_size', 'batch_size'),
        ('train_dataloader.dataset', 'fil', 'fill'),
        ('param_scheduler.0', 'pct_strat', 'pct_start'),
        ('custom_hooks.0', 'momentun', 'momentum'),
        ('default_hooks', 'chekpoint', 'checkpoint'),
        ('default_hooks.checkpoint', 'intervall', 'interval'),
    ],
)
def test_a_misspelt_key_of_a_config_file_is_named_with_file_and_place(
    repository, place, key, meant
):
    cfg = Config.fromfile(repository / 'configs/semcl/toy.py')
    check_top_level(cfg, 'toy.py')
    cfg.merge_from_dict({f'{place}.{key}': dict() if key == 'chekpoint' else 1})
    with pytest.raises(ValueError, match=rf"toy\.py: nothing reads {place}\.{key}; .*'{meant}'"):
        check_top_level(cfg, 'toy.py')


def test_keyword_arguments_that_go_elsewhere_stay_open():
    config = Config(dict(model=dict(type=TimmBackbone, model_name='resnet18')))
    check_overrides(config, {'model.drop_path_rate': 0.1})

    class Narrow(TinyBackbone):
        def __init__(self, width: int = 1, **kwargs) -> None:
            super().__init__(**kwargs)

    config = Config(dict(model=dict(type=Narrow)))
    check_overrides(config, {'model.dropout': 0.1, 'model.width': 2})
    with pytest.raises(ValueError, match='did you mean dropout'):
        check_overrides(config, {'model.drop_out': 0.1})


def test_a_type_that_is_a_name_is_left_to_its_registry():
    config = Config(dict(model=dict(type=torch.nn.Conv2d, norm_cfg=dict(type='BN'))))
    check_overrides(config, {'model.norm_cfg.eps': 1e-3, 'model.norm_cfg.type': 'GN'})
