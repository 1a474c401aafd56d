"""What the runner adds to MMEngine's: pretrained, CPU processes, compile, clear errors."""

import pytest
import torch
from mmcv.ops import RoIAlign
from mmengine.evaluator import BaseMetric
from mmengine.optim import LinearLR, PolyLR
from mmpretrain.models import ResNet
from tiny_run import TinyBackbone, tiny_config, tiny_model

from semcl_mm.checkpoint import CheckpointError
from semcl_mm.engine import OptimWrapper, Runner

RESNET = dict(type=ResNet, depth=18, base_channels=8, out_indices=(3,), stem_channels=8)


def resnet_options(**options):
    model = tiny_model(backbone=RESNET)
    model['projector'] = dict(model['projector'], in_channels=64)
    return dict(model=model, max_iters=1, **options)


def test_pretrained_reaches_backbone_and_target(tmp_path, train, monkeypatch):
    torch.manual_seed(5)
    weights = ResNet(18, base_channels=8, stem_channels=8, out_indices=(3,)).state_dict()
    path = tmp_path / 'weights.pth'
    torch.save({'state_dict': {f'backbone.{key}': value for key, value in weights.items()}}, path)
    loaded = {}

    def run(self):
        model = self.runner.model
        loaded.update(online=model.backbone.state_dict(), target=model.target_backbone.state_dict())

    monkeypatch.setattr('mmengine.runner.IterBasedTrainLoop.run', run)
    train(tmp_path / 'run', **resnet_options(pretrained=dict(checkpoint=str(path))))
    for state in loaded.values():
        for key, value in weights.items():
            assert torch.equal(state[key], value), key


def test_a_metric_that_writes_below_the_work_dir_is_told_where_it_is(tmp_path, train):
    class Writes(BaseMetric):
        process = compute_metrics = None

        def set_work_dir(self, work_dir):
            self.told = work_dir

    runner = train(tmp_path / 'run', max_iters=1)
    assert runner.build_evaluator([Writes()]).metrics[0].told == str(tmp_path / 'run')


def test_pretrained_weights_of_another_backbone_stop_the_run(tmp_path, train):
    path = tmp_path / 'weights.pth'
    state = {f'backbone.{k}': v for k, v in ResNet(34, out_indices=(3,)).state_dict().items()}
    torch.save({'state_dict': state}, path)
    with pytest.raises(CheckpointError, match=r'weights\.pth'):
        train(tmp_path / 'run', **resnet_options(pretrained=dict(checkpoint=str(path))))


def test_pretrained_is_not_needed_to_resume(tmp_path, train):
    train(tmp_path / 'run', max_iters=3)
    gone = dict(checkpoint=str(tmp_path / 'gone.pth'))
    runner = train(tmp_path / 'run', max_iters=4, resume=True, pretrained=gone)
    assert runner.iter == 4


def test_an_unknown_key_of_the_model_is_one_clear_error(tmp_path, train):
    with pytest.raises(ValueError, match=r"config key model: .*SemCL.*'symetric'"):
        train(tmp_path, model=tiny_model(backbone=dict(type=TinyBackbone), symetric=True))


def test_channels_last_changes_the_layout_alone_and_survives_a_resume(tmp_path, train):
    def state(name, channels_last=True, **more):
        options = {**resnet_options(channels_last=channels_last), 'max_iters': 1, **more}
        return train(tmp_path / name, **options).model.state_dict()

    nchw, nhwc = state('nchw', channels_last=False), state('nhwc')
    for key, value in nchw.items():
        torch.testing.assert_close(nhwc[key], value, rtol=1e-3, atol=1e-3)
    whole = state('whole', max_iters=4)
    options = {**resnet_options(channels_last=True), 'max_iters': 4}
    train(tmp_path / 'killed', kill_at=3, **options)
    resumed = state('killed', max_iters=4, resume=True)
    for key, value in whole.items():
        assert torch.equal(resumed[key], value), key
    for key in ('backbone.layer4.1.conv2.weight', 'target_backbone.layer4.1.conv2.weight'):
        assert resumed[key].is_contiguous(memory_format=torch.channels_last)
        assert not nchw[key].is_contiguous(memory_format=torch.channels_last)


def test_channels_last_is_the_same_step_in_two_processes(tmp_path, launch):
    def state(name, **options):
        assert launch(tmp_path / name, **resnet_options(**options)) == [0, 0]
        return torch.load(tmp_path / name / 'iter_1.pth', weights_only=True)['state_dict']

    nchw, nhwc = state('nchw'), state('nhwc', channels_last=True)
    weight = nhwc['backbone.layer4.1.conv2.weight']
    assert weight.is_contiguous(memory_format=torch.channels_last)
    for key, value in nchw.items():
        torch.testing.assert_close(nhwc[key], value, rtol=1e-3, atol=1e-3, msg=key)


def test_an_epoch_without_a_batch_is_no_success(tmp_path):
    config = tiny_config(str(tmp_path), epochs=2)
    config.train_dataloader.update(batch_size=13, drop_last=True)
    with pytest.raises(ValueError, match=r'12 samples for 1 process.* batch_size=13'):
        Runner.from_cfg(config).train()


class WithRoIAlign(TinyBackbone):
    def __init__(self) -> None:
        super().__init__()
        self.align = RoIAlign(2)


def test_channels_last_is_refused_where_an_operator_would_misread_it(tmp_path, train):
    model = tiny_model(backbone=dict(type=WithRoIAlign))
    with pytest.raises(ValueError, match=r'channels_last: backbone\.align is a RoIAlign of mmcv'):
        train(tmp_path, model=model, channels_last=True)


class OneValue(TinyBackbone):
    """Ends in a batch norm of one pooled value per channel, as an ASPP sees of a batch of one."""

    def __init__(self) -> None:
        super().__init__()
        self.pooled = torch.nn.BatchNorm2d(8)

    def forward(self, images):
        (features,) = super().forward(images)
        return (features + self.pooled(features.mean(dim=(0, 2, 3), keepdim=True)),)


@pytest.mark.parametrize(('batch', 'mend'), [(1, 'set it to 2'), (3, 'drop_last=True')])
def test_a_batch_that_is_too_small_for_batch_norm_names_its_key(tmp_path, train, batch, mend):
    loader = tiny_config(tmp_path).train_dataloader
    loader.batch_size = batch
    model = tiny_model(backbone=dict(type=OneValue))
    with pytest.raises(ValueError, match=rf'train_dataloader\.batch_size={batch}: .*{mend}'):
        train(tmp_path, model=model, train_dataloader=loader)


def test_two_cpu_processes_average_their_gradients(tmp_path, launch, train):
    """The first step of two processes is the mean of each process's own first step (SGD)."""
    options = dict(
        max_iters=1,
        param_scheduler=None,
        optim_wrapper=dict(optimizer=dict(type=torch.optim.SGD, lr=0.1)),
        sync_bn='torch',  # needs GPUs: falls back to each process's statistics
        model=tiny_model(backbone=dict(type=TinyBackbone, dropout=0.0)),
    )
    assert launch(tmp_path / 'two', **options) == [0, 0]
    together = torch.load(tmp_path / 'two' / 'iter_1.pth', weights_only=True)['state_dict']

    runner = Runner.from_cfg(tiny_config(tmp_path / 'one', **options))
    model = runner.model
    model.init_weights()
    start = {name: p.detach().clone() for name, p in model.named_parameters()}
    seeded = runner.build_dataloader(runner._train_dataloader, seed=0)
    dataset, places = seeded.dataset, list(range(6))
    order = [int(index) for _, index in zip(places, iter(seeded.sampler))]  # noqa: B905
    from semcl_mm.engine.seeded_data import NumberedIndex

    gradients = []
    for rank in (0, 1):
        items = [dataset[NumberedIndex(order[p], (0, p))] for p in places[rank::2]]
        views = [torch.stack([item['inputs'][view] for item in items]) for view in range(3)]
        model.zero_grad()
        model.train().loss(views)['loss'].backward()
        trained = ((n, p) for n, p in model.named_parameters() if p.requires_grad)
        gradients.append({name: parameter.grad.clone() for name, parameter in trained})
    for name in gradients[0]:
        expected = start[name] - 0.1 * (gradients[0][name] + gradients[1][name]) / 2
        torch.testing.assert_close(together[name], expected, atol=1e-6, rtol=1e-5, msg=name)


def test_how_often_a_run_validates_does_not_change_it(tmp_path, train):
    """Validation draws random numbers of its own here; training does not notice."""
    from mmengine.runner import ValLoop

    class NoisyValLoop(ValLoop):
        def run(self):
            self.runner.call_hook('before_val')
            torch.rand(17)
            self.runner.call_hook('after_val')

    def run(name, interval):
        options = dict(
            train_cfg=dict(by_epoch=False, max_iters=4, val_interval=interval),
            val_cfg=dict(type=NoisyValLoop),
            val_evaluator=[],
            val_dataloader=tiny_config(tmp_path).train_dataloader,
        )
        options['val_dataloader']['sampler'] = dict(type='DefaultSampler')
        return train(tmp_path / name, **options).model.state_dict()

    often, rarely = run('often', 1), run('rarely', 4)
    for key in often:
        assert torch.equal(often[key], rarely[key]), key


@pytest.mark.slow
def test_torch_compile_passes_through(tmp_path, train):
    options = dict(max_iters=2, model=tiny_model(backbone=dict(type=TinyBackbone, dropout=0.0)))
    plain = train(tmp_path / 'plain', **options).model.state_dict()
    compiled = train(tmp_path / 'compiled', compile=dict(backend='eager'), **options)
    for key, value in compiled.model.state_dict().items():
        torch.testing.assert_close(value, plain[key], msg=key)


def test_weights_without_a_target_encoder_give_one(tmp_path, train):
    state = train(tmp_path / 'first', max_iters=1).model.state_dict()
    online = {key: value for key, value in state.items() if not key.startswith('target_')}
    torch.save({'state_dict': online}, tmp_path / 'online.pth')
    runner = Runner.from_cfg(tiny_config(tmp_path / 'second'))
    with pytest.raises(CheckpointError, match='another model'):  # outside a training all must fit
        runner.load_checkpoint(str(tmp_path / 'online.pth'))
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    runner.load_checkpoint(str(tmp_path / 'online.pth'))
    for target, parameter in runner.model.parameter_pairs():
        assert torch.equal(target, parameter)


@pytest.mark.parametrize('accumulation', [1, 4])
def test_the_learning_rate_scales_with_the_batch_of_an_update(tmp_path, accumulation):
    """A recipe of 8 times the batch: lr 0.8 becomes 0.8 * accumulation / 8."""
    runner = Runner.from_cfg(tiny_config(tmp_path, max_iters=4))
    weight = torch.nn.Parameter(torch.zeros(1))
    wrapper = OptimWrapper(
        optimizer=torch.optim.SGD([weight], lr=0.8), accumulative_counts=accumulation
    )
    batch = runner._train_dataloader['batch_size']
    runner.scale_lr(wrapper, dict(enable=True, base_batch_size=8 * batch))
    assert wrapper.get_lr()['lr'] == [pytest.approx(0.1 * accumulation)]


@pytest.mark.parametrize('length', [1, 2, 8, 40])
def test_a_run_shorter_than_its_warm_up_warms_up_for_a_part_of_it(tmp_path, train, length):
    schedules = [
        dict(type=LinearLR, start_factor=0.1, begin=0, end=100, by_epoch=False),
        dict(type=PolyLR, power=1.0, eta_min=0.0, begin=100, by_epoch=False),
    ]
    runner = train(tmp_path / 'run', max_iters=length, param_scheduler=schedules)
    rates = runner.message_hub.get_scalar('train/lr').data[0]
    assert runner.iter == length
    assert max(rates) <= 0.01 + 1e-9  # the config's rate
    assert length < 8 or rates[-1] < max(rates)


def test_a_warm_up_that_fits_is_left_alone(tmp_path, train):
    schedules = [
        dict(type=LinearLR, start_factor=0.1, begin=0, end=3, by_epoch=False),
        dict(type=PolyLR, power=1.0, eta_min=0.0, begin=3, by_epoch=False),
    ]
    runner = train(tmp_path / 'run', max_iters=8, param_scheduler=schedules)
    assert [(s.begin, s.end) for s in runner.param_schedulers] == [(0, 3), (3, 8)]
