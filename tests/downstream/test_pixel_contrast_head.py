"""The contrast head inside mmseg's segmentors: what it sees, stores and leaves alone."""

import copy

import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.dataset import pseudo_collate
from mmengine.structures import PixelData
from mmpretrain.models import HRNet, ResNet
from mmseg.models import (
    ASPPHead,
    CascadeEncoderDecoder,
    CrossEntropyLoss,
    EncoderDecoder,
    FCNHead,
    OCRHead,
    PointHead,
    SegformerHead,
    UPerHead,
)
from mmseg.structures import SegDataSample

from semcl_mm.downstream import (
    ContrastCascadeEncoderDecoder,
    ContrastEncoderDecoder,
    PixelContrastHead,
    without_contrast,
)
from semcl_mm.registry import DATASETS, MODELS

CLASSES, SIZE = 4, 64
BN = dict(type='BN')
RESNET = dict(
    type=ResNet, depth=18, stem_channels=8, base_channels=8, out_indices=(0, 1, 2, 3), norm_cfg=BN
)
WIDTHS = [8, 16, 32, 64]
HRNET_EXTRA = {
    f'stage{stage}': dict(
        num_modules=1,
        num_branches=max(stage, 1),
        block='BOTTLENECK' if stage == 1 else 'BASIC',
        num_blocks=(1,) * stage,
        num_channels=(4, 8, 16, 32)[:stage] if stage > 1 else (4,),
    )
    for stage in (1, 2, 3, 4)
}
MEMORY = dict(num_images=6, pixels_per_class=40)


def head(kind, **settings):
    loss = dict(type=CrossEntropyLoss, use_sigmoid=settings.get('out_channels') == 1)
    defaults = dict(channels=8, num_classes=CLASSES, dropout_ratio=0, norm_cfg=BN)
    return dict(type=kind, loss_decode=loss) | defaults | settings


def fcn(**settings):
    return head(FCNHead, **dict(in_channels=32, in_index=2, num_convs=1) | settings)


CONTRAST = dict(
    type=PixelContrastHead, in_channels=64, in_index=3, num_classes=CLASSES, dim=8, memory=MEMORY
)
EVERY_STAGE = dict(in_channels=WIDTHS, in_index=[0, 1, 2, 3])
OCR = [fcn(), head(OCRHead, in_channels=32, in_index=2, ocr_channels=8)]
SEGMENTORS = {
    'fcn': dict(decode_head=fcn()),
    'upernet': dict(
        decode_head=head(UPerHead, pool_scales=(1, 2), **EVERY_STAGE), auxiliary_head=fcn()
    ),
    'deeplabv3': dict(
        decode_head=head(ASPPHead, in_channels=64, in_index=3, dilations=(1, 2)),
        auxiliary_head=[fcn()],
    ),
    'segformer': dict(decode_head=head(SegformerHead, **EVERY_STAGE)),
    'ocr': dict(decode_head=OCR, num_stages=2),
    'hrnet': dict(
        backbone=dict(type=HRNet, extra=HRNET_EXTRA, norm_cfg=BN),
        decode_head=fcn(
            in_channels=[4, 8, 16, 32], in_index=[0, 1, 2, 3], input_transform='resize_concat'
        ),
        contrast_head=CONTRAST | dict(in_channels=[4, 8, 16, 32], in_index=[0, 1, 2, 3]),
    ),
}


def build(name='fcn', plain=False, **contrast):
    settings = dict(backbone=RESNET, test_cfg=ConfigDict(mode='whole')) | SEGMENTORS[name]
    cascade = 'num_stages' in settings
    if plain:
        settings.pop('contrast_head', None)
        kind = CascadeEncoderDecoder if cascade else EncoderDecoder
    else:
        settings['contrast_head'] = settings.get('contrast_head', CONTRAST) | contrast
        kind = ContrastCascadeEncoderDecoder if cascade else ContrastEncoderDecoder
    torch.manual_seed(0)
    return MODELS.build(copy.deepcopy(dict(type=kind) | settings))


def batch(images=2, seed=0):
    """Images, and samples with 8 x 8 squares of one class; some of them ignored."""
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(images, 3, SIZE, SIZE, generator=generator)
    labels = torch.randint(CLASSES + 1, (images, SIZE // 8, SIZE // 8), generator=generator)
    labels = labels.where(labels < CLASSES, 255)
    labels = labels.repeat_interleave(8, 1).repeat_interleave(8, 2)
    return inputs, samples_of(labels, first=images * seed)


def samples_of(labels, first=0):
    shape = tuple(labels.shape[-2:])
    meta = dict(img_shape=shape, ori_shape=shape, pad_shape=shape)
    return [
        SegDataSample(
            gt_sem_seg=PixelData(data=label[None]), metainfo=meta | dict(sample_idx=first + i)
        )
        for i, label in enumerate(labels)
    ]


def stack(samples):
    return torch.stack([sample.gt_sem_seg.data[0] for sample in samples])


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


def test_only_anchors_pass_the_last_convolution_and_nothing_else_changes():
    """Without memory: loss and gradients of the dense embedding map at the same anchors."""
    torch.manual_seed(0)
    contrast = PixelContrastHead(6, CLASSES, dim=5, norm_cfg=BN, loss=dict(anchors_per_class=7))
    features = [torch.randn(2, 6, 16, 16)]
    _, samples = batch()
    predictions = torch.randint(CLASSES, (2, 16, 16))
    torch.manual_seed(1)
    loss = contrast.loss(features, samples, predictions=predictions)['loss_contrast']
    torch.manual_seed(1)
    dense = contrast.output(contrast.hidden(features[0]))
    expected = contrast.criterion(dense, stack(samples), predictions)
    torch.testing.assert_close(loss, expected)
    parameters = list(contrast.parameters())
    torch.testing.assert_close(
        torch.autograd.grad(loss, parameters), torch.autograd.grad(expected, parameters)
    )


def identity_head(size, **memory):
    """A head whose embeddings are its (non-negative) features."""
    contrast = PixelContrastHead(
        size, size, dim=size, loss=dict(anchor_mode='random'), memory=MEMORY | memory
    )
    for layer in (contrast.hidden.conv, contrast.output):
        torch.nn.init.dirac_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    return contrast


@pytest.mark.parametrize('stride', [1, 4, 8])
def test_every_key_has_the_class_that_the_annotation_gives_its_place(stride):
    """Features that spell the class of their place: key k of class c must be unit vector c."""
    _, samples = batch(images=3)
    labels = stack(samples)
    small = labels[:, ::stride, ::stride]
    one_hot = torch.nn.functional.one_hot(small.where(small != 255, 0), CLASSES)
    features = one_hot * (small != 255)[..., None]
    contrast = identity_head(CLASSES)
    contrast.loss([features.movedim(-1, 1).float()], samples)
    keys, classes = contrast.memory.keys()
    assert sorted(classes.unique().tolist()) == [-1, *range(CLASSES)]  # class 0 is a class
    assert torch.equal(keys[classes >= 0], torch.eye(CLASSES)[classes[classes >= 0]])


def test_a_region_lies_in_the_slot_of_its_image():
    contrast = identity_head(2, memory='region')
    labels = torch.tensor([[[0, 0], [1, 1]], [[1, 1], [1, 255]]])
    contrast.loss([torch.rand(2, 2, 2, 2)], samples_of(labels, first=3))
    filled = contrast.memory.valid
    assert filled.nonzero().tolist() == [[0, 3], [1, 3], [1, 4]]


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


def test_the_loss_weight_is_a_factor():
    values = []
    for weight in (1.0, 0.25):
        model, (inputs, samples) = build(memory=None, loss=dict(loss_weight=weight)), batch()
        torch.manual_seed(3)
        values.append(model.loss(inputs, samples)['loss_contrast'])
    torch.testing.assert_close(values[1], values[0] / 4)


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
    model.auxiliary_head[1] = MODELS.build(CONTRAST)
    with pytest.raises(ValueError, match='classifier of a ContrastEncoderDecoder'):
        model.loss(inputs, samples)


def test_a_binary_segmentors_prediction_is_its_thresholded_score():
    model = build()
    model._threshold = 0.3
    scores = torch.tensor([[-1.0, -0.8, 3.0]]).view(1, 1, 1, 3)  # sigmoid: 0.27, 0.31, 0.95
    model._keep_predictions(None, (), scores)
    assert model._predictions.tolist() == [[[0, 1, 1]]]


@pytest.mark.parametrize('labels', [255, 2], ids=['all ignored', 'one class'])
@pytest.mark.parametrize('memory', [None, MEMORY], ids=['in batch', 'memory'])
def test_nothing_to_contrast_is_a_zero_with_a_graph(labels, memory):
    model, (inputs, _) = build(memory=memory), batch()
    samples = samples_of(torch.full((2, SIZE, SIZE), labels))
    loss = model.loss(inputs, samples)['loss_contrast']
    loss.backward()
    assert loss == 0
    assert all(not p.grad.any() for p in model.contrast_head.parameters())


def test_half_precision_changes_the_loss_by_its_rounding_only():
    values = []
    for enabled in (False, True):
        model, (inputs, samples) = build(memory=None), batch()
        torch.manual_seed(5)
        with torch.autocast('cpu', torch.bfloat16, enabled=enabled):
            features = model.extract_feat(inputs)
            predictions = torch.zeros(2, SIZE, SIZE, dtype=torch.long)
            losses = model.contrast_head.loss(features, samples, predictions=predictions)
        values.append(losses['loss_contrast'])
    assert values[1].dtype == torch.float32
    torch.testing.assert_close(values[1], values[0], rtol=0.05, atol=0.05)


def test_a_region_memory_asks_for_the_place_of_each_image():
    _, samples = batch()
    for sample in samples:
        sample.set_metainfo(dict(sample_idx=0))
        del sample.sample_idx
    contrast = PixelContrastHead(4, CLASSES, dim=4, loss=dict(anchor_mode='random'), memory=MEMORY)
    with pytest.raises(ValueError, match=r'sample_idx.*meta_keys'):
        contrast.loss([torch.randn(2, 4, 8, 8)], samples)
    contrast = PixelContrastHead(
        4, CLASSES, dim=4, loss=dict(anchor_mode='random'), memory=MEMORY | dict(memory='pixel')
    )
    contrast.loss([torch.randn(2, 4, 8, 8)], samples)  # pixels do not need it


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(in_index=[0, 1]), 'in_channels 4 and in_index'),
        (dict(warmup_iters=-1), 'warmup_iters must be at least 0, got -1'),
        (dict(dim=0), 'dim must be positive'),
        (dict(memory=MEMORY | dict(dtype='bfloat')), "'bfloat' is no type"),
    ],
)
def test_a_setting_that_cannot_be_is_named(settings, message):
    with pytest.raises(ValueError, match=message):
        PixelContrastHead(**dict(in_channels=4, num_classes=CLASSES) | settings)


def test_a_memory_is_stored_in_the_type_that_its_name_says():
    contrast = PixelContrastHead(4, CLASSES, memory=MEMORY | dict(dtype='bfloat16'))
    assert contrast.memory.slots.dtype == torch.bfloat16


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
