"""The contrast head inside mmseg's segmentors: what it is told, and that it leaves no trace."""

import copy
import multiprocessing
import runpy

import pytest
import torch
import torch.distributed as dist
from contrast_models import (
    CLASSES,
    CONTRAST,
    RESNET,
    SEGMENTORS,
    SIZE,
    batch,
    build,
    fcn,
    head,
    samples_of,
)
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmseg.models import EncoderDecoder, PointHead

from semcl_mm.checkpoint import load_file
from semcl_mm.downstream import ContrastEncoderDecoder, without_contrast
from semcl_mm.registry import DATASETS, MODELS


@pytest.mark.parametrize('name', SEGMENTORS)
def test_it_contrasts_with_predictions_of_the_decode_head_in_the_same_step(name, monkeypatch):
    model, (inputs, samples) = build(name), batch()
    seen = []
    loss = model.contrast_head.loss
    monkeypatch.setattr(
        model.contrast_head,
        'loss',
        lambda *args, **kwargs: seen.append(kwargs['predictions']) or loss(*args, **kwargs),
    )
    model.loss(inputs, samples)  # fills the memory
    losses = model.loss(inputs, samples)
    with (
        torch.no_grad()
    ):  # batch norm uses the statistics of the same batch; nothing else is random
        scores = model(inputs, mode='tensor')
    assert torch.equal(seen[-1], scores.argmax(dim=1))
    assert losses['loss_contrast'] > 0
    assert losses['memory_filled'] > 0
    losses['loss_contrast'].backward()
    for parameter in [*model.contrast_head.parameters(), *model.backbone.conv1.parameters()]:
        assert parameter.grad.isfinite().all()
        assert parameter.grad.any()
    assert all(p.grad is None for p in model.decode_head.parameters())


@pytest.mark.parametrize('name', SEGMENTORS)
def test_without_the_contrast_head_keys_and_outputs_are_the_plain_segmentors(name):
    model, plain = build(name), build(name, plain=True)
    inputs, samples = batch()
    model.loss(inputs, samples)  # batch norm statistics that are not the initial ones
    state = without_contrast(model.state_dict())
    assert list(state) == list(plain.state_dict())
    plain.load_state_dict(state)
    model.eval(), plain.eval()
    expected = plain(inputs, mode='tensor')
    assert torch.equal(model(inputs, mode='tensor'), expected)
    del model.contrast_head  # inference does not even look at it
    for ours, theirs in zip(model.predict(inputs), plain.predict(inputs), strict=True):
        assert torch.equal(ours.seg_logits.data, theirs.seg_logits.data)


def test_a_state_dict_without_a_contrast_head_is_refused():
    with pytest.raises(ValueError, match='no contrast head'):
        without_contrast(build(plain=True).state_dict())


def test_warm_up_fills_the_memory_while_the_loss_counts_zero_times():
    model, (inputs, samples) = build(warmup_iters=3), batch()
    for step in range(4):
        losses = model.loss(inputs, samples)
        model.zero_grad()
        losses['loss_contrast'].backward()
        gradients = [p.grad for p in model.contrast_head.parameters()]
        assert all(g is not None for g in gradients)  # so that no process waits for another
        counts = step >= 3
        assert (losses['loss_contrast'] > 0) == counts
        assert any(g.any() for g in gradients) == counts
        assert (losses['memory_filled'] > 0) == (step > 0)


def train(model, optimiser, steps):
    for step in steps:
        torch.manual_seed(step)
        inputs, samples = batch(seed=step)
        losses = model.loss(inputs, samples)
        optimiser.zero_grad()
        sum(value for key, value in losses.items() if 'loss' in key).backward()
        optimiser.step()


def test_a_resumed_run_equals_the_unbroken_one_with_its_memory_and_warm_up(tmp_path):
    unbroken, broken, resumed = (build(warmup_iters=2) for _ in range(3))
    optimiser = [torch.optim.SGD(m.parameters(), 0.1) for m in (unbroken, broken, resumed)]
    train(unbroken, optimiser[0], range(4))
    train(broken, optimiser[1], range(2))
    torch.save(broken.state_dict(), tmp_path / 'checkpoint.pth')
    resumed.load_state_dict(torch.load(tmp_path / 'checkpoint.pth', weights_only=True))
    train(resumed, optimiser[2], range(2, 4))
    expected, state = unbroken.state_dict(), resumed.state_dict()
    assert 'contrast_head.memory.slots' in state
    assert state['contrast_head.calls'] == 4
    for key, value in expected.items():
        assert torch.equal(state[key], value), key


def test_evaluation_leaves_memory_and_warm_up_alone():
    model, (inputs, samples) = build(), batch()
    model.loss(inputs, samples)
    before = copy.deepcopy(model.state_dict())
    model.contrast_head.eval()
    model.loss(inputs, samples)
    for key, value in model.contrast_head.state_dict().items():
        assert torch.equal(value, before[f'contrast_head.{key}']), key


def test_a_copy_listens_to_its_own_decode_head():
    """As made for an exponential moving average of the weights."""
    model, (inputs, samples) = build(), batch()
    twin = copy.deepcopy(model)
    model.decode_head.conv_seg = None
    assert twin.loss(inputs, samples)['loss_contrast'].isfinite()
    assert twin.contrast_head.calls == 1
    assert model.contrast_head.calls == 0


def test_it_is_an_auxiliary_head_of_a_plain_segmentor_if_anchors_are_random():
    auxiliary = CONTRAST | dict(loss=dict(anchor_mode='random'), memory=None)
    model = MODELS.build(
        dict(
            type=EncoderDecoder,
            backbone=RESNET,
            decode_head=fcn(),
            auxiliary_head=[fcn(), auxiliary],
        )
    )
    inputs, samples = batch()
    assert model.loss(inputs, samples)['aux_1.loss_contrast'] > 0
    kept = without_contrast(model.state_dict())
    assert {key for key in model.state_dict() if key not in kept} == {
        key for key in model.state_dict() if key.startswith('auxiliary_head.1.')
    }
    model.auxiliary_head[1] = MODELS.build(CONTRAST)
    with pytest.raises(ValueError, match='classifier of a ContrastEncoderDecoder'):
        model.loss(inputs, samples)


def test_a_binary_segmentors_prediction_is_its_thresholded_score():
    model = build()
    model._threshold = 0.3
    scores = torch.tensor([[-1.0, -0.8, 3.0]]).view(1, 1, 1, 3)  # sigmoid: 0.27, 0.31, 0.95
    model._keep_predictions(None, (), scores)
    assert model._predictions.tolist() == [[[0, 1, 1]]]


def test_a_head_without_classifier_is_refused_where_predictions_are_needed():
    point = head(PointHead, in_channels=[32], in_index=[2], num_fcs=1)
    point.pop('norm_cfg')
    settings = dict(type=ContrastEncoderDecoder, backbone=RESNET, decode_head=point)
    with pytest.raises(ValueError, match='PointHead has no conv_seg'):
        MODELS.build(settings | dict(contrast_head=CONTRAST))
    MODELS.build(settings | dict(contrast_head=CONTRAST | dict(loss=dict(anchor_mode='random'))))


def test_the_toy_config_trains_and_remembers_the_images_of_its_batch(repository, toy_world):
    cfg = Config.fromfile(repository / 'configs/pixel_contrast/upernet_r18_toy.py')
    baseline = Config.fromfile(repository / 'configs/segmentation/upernet_r18_toy.py')
    for key in ('decode_head', 'auxiliary_head', 'backbone', 'data_preprocessor'):
        assert cfg.model[key] == baseline.model[key]
    for key in ('optim_wrapper', 'param_scheduler', 'train_cfg', 'val_dataloader'):
        assert cfg[key] == baseline[key]
    settings = cfg.train_dataloader.dataset | dict(data_root=str(toy_world))
    data_set = DATASETS.build(settings)
    data = pseudo_collate([data_set[index] for index in (5, 11)])
    model = MODELS.build(cfg.model)
    losses = model(**model.data_preprocessor(data, training=True), mode='loss')
    assert losses['decode.loss_ce'] > 0
    filled = model.contrast_head.memory.valid[:, :300].any(dim=0)
    assert filled.nonzero().flatten().tolist() == [5, 11]


@pytest.fixture
def drop_contrast_head(repository):
    """The command."""
    tool = repository / 'tools/model_converters/drop_contrast_head.py'
    return runpy.run_path(str(tool))['main']


def test_the_command_writes_a_file_that_the_plain_segmentor_takes(tmp_path, drop_contrast_head):
    model, (inputs, samples) = build(), batch()
    model.loss(inputs, samples)
    meta = dict(dataset_meta=dict(classes=('a', 'b', 'c', 'd')))
    source, target = (str(tmp_path / name) for name in ('run.pth', 'plain.pth'))
    torch.save(dict(state_dict=model.state_dict(), meta=meta, optimizer={}), source)
    drop_contrast_head([source, target])
    written = load_file(target)
    assert written.keys() == {'state_dict', 'meta'}
    assert written['meta'] == meta
    plain = build(plain=True)
    plain.load_state_dict(written['state_dict'])
    model.eval(), plain.eval()
    assert torch.equal(plain(inputs, mode='tensor'), model(inputs, mode='tensor'))


def test_the_command_writes_nothing_where_there_is_no_contrast_head(
    tmp_path, drop_contrast_head, capsys
):
    source = tmp_path / 'plain.pth'
    torch.save(dict(state_dict=build(plain=True).state_dict()), source)
    with pytest.raises(SystemExit) as stopped:
        drop_contrast_head([str(source), str(tmp_path / 'new.pth')])
    assert stopped.value.code == 1
    assert f'error: {source}: ' in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [source]


def train_as(rank, folder):
    torch.set_num_threads(1)
    dist.init_process_group('gloo', f'file://{folder}/store', rank=rank, world_size=2)
    model = build(warmup_iters=1)
    parallel = torch.nn.parallel.DistributedDataParallel(model, broadcast_buffers=False)
    optimiser = torch.optim.SGD(model.parameters(), 0.1)
    for step in range(3):
        torch.manual_seed(10 * step + rank)
        inputs, samples = batch(seed=2 * step + rank)
        if rank and step == 2:  # a process that has nothing to contrast must not hang the other
            samples = samples_of(torch.full((2, SIZE, SIZE), 255))
        losses = parallel(inputs, samples, mode='loss')
        optimiser.zero_grad()
        sum(value for key, value in losses.items() if 'loss' in key).backward()
        optimiser.step()
    torch.save(model.contrast_head.state_dict(), f'{folder}/{rank}.pth')
    dist.destroy_process_group()


def test_two_processes_train_the_same_head_and_hold_the_same_memory(tmp_path):
    context = multiprocessing.get_context('fork')
    children = [context.Process(target=train_as, args=(rank, tmp_path)) for rank in range(2)]
    for child in children:
        child.start()
    for child in children:
        child.join(timeout=60)
    assert [child.exitcode for child in children] == [0, 0]
    first, second = (torch.load(tmp_path / f'{rank}.pth') for rank in range(2))
    for name, value in first.items():
        assert torch.equal(value, second[name]), name
    slots = first['memory.region_filled'][:-1].view(CLASSES, -1).any(dim=0)
    assert slots.all()  # images of both
