"""The contrast head: which pixels it takes, what it stores, and what it refuses."""

import pytest
import torch
from contrast_models import BN, CLASSES, MEMORY, SIZE, batch, build, samples_of, stack
from torch._subclasses.fake_tensor import DynamicOutputShapeException, FakeTensorMode

from semcl_mm.downstream import PixelContrastHead


class WholeMap(PixelContrastHead):
    """Makes the embedding of every pixel with a graph, as is written in the paper."""

    def loss(self, inputs, batch_data_samples, train_cfg=None, predictions=None):
        labels = stack(batch_data_samples)
        embeddings = self.output(self.hidden(self.select(inputs)))
        loss = self.criterion(embeddings, labels, predictions, self.memory)
        if self.memory is not None:
            unit = torch.nn.functional.normalize(embeddings.detach(), dim=1)
            index = torch.tensor([sample.metainfo['sample_idx'] for sample in batch_data_samples])
            self.memory.update(unit, labels, index if self.memory.region_slots else None)
        return dict(loss_contrast=loss)


@pytest.mark.parametrize('memory', [None, 'pixel', 'region', 'both'])
def test_the_last_convolution_on_few_pixels_changes_no_loss_gradient_or_key(memory):
    """Three steps, same draws; without regions no other pixel passes the last convolution."""
    settings = dict(dim=5, norm_cfg=BN, loss=dict(anchors_per_class=7))
    settings['memory'] = memory and MEMORY | dict(memory=memory)
    torch.manual_seed(0)
    sparse = PixelContrastHead(6, CLASSES, **settings)
    whole = WholeMap(6, CLASSES, **settings)
    whole.load_state_dict(sparse.state_dict())
    passed = []
    sparse.output.register_forward_hook(lambda *_: passed.append(torch.is_grad_enabled()))
    for step in range(3):
        features = torch.randn(2, 6, 16, 16, requires_grad=True)
        _, samples = batch(seed=step)
        predictions = torch.randint(CLASSES, (2, 16, 16))
        results = []
        for head in (sparse, whole):
            torch.manual_seed(step)
            loss = head.loss([features], samples, predictions=predictions)['loss_contrast']
            results.append((loss, torch.autograd.grad(loss, [features, *head.parameters()])))
        torch.testing.assert_close(*results)
    if memory is not None:
        assert sparse.memory.counts().sum() > 0
        torch.testing.assert_close(sparse.memory.state_dict(), whole.memory.state_dict())
    assert passed == ([False] * 3 if memory in ('region', 'both') else [])


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


def test_the_loss_weight_is_a_factor():
    values = []
    for weight in (1.0, 0.25):
        model, (inputs, samples) = build(memory=None, loss=dict(loss_weight=weight)), batch()
        torch.manual_seed(3)
        values.append(model.loss(inputs, samples)['loss_contrast'])
    torch.testing.assert_close(values[1], values[0] / 4)


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
        (dict(channels=0), 'channels must be positive'),
        (dict(memory=MEMORY | dict(dtype='bfloat')), "'bfloat' is no type"),
    ],
)
def test_a_setting_that_cannot_be_is_named(settings, message):
    with pytest.raises(ValueError, match=message):
        PixelContrastHead(**dict(in_channels=4, num_classes=CLASSES) | settings)


def test_a_memory_is_stored_in_the_type_that_its_name_says():
    contrast = PixelContrastHead(4, CLASSES, memory=MEMORY | dict(dtype='bfloat16'))
    assert contrast.memory.slots.dtype == torch.bfloat16


def step_without_values(**settings):
    """Two steps on tensors of a GPU that have shapes but no values: reading one raises."""
    with FakeTensorMode(), torch.device('cuda'):
        contrast = PixelContrastHead(8, CLASSES, dim=8, **settings)
        features = [torch.randn(2, 8, 16, 16)]
        predictions = torch.zeros(2, 16, 16, dtype=torch.long)
        samples = samples_of(torch.zeros(2, SIZE, SIZE, dtype=torch.long))
        for _ in range(2):
            losses = contrast.loss(features, samples, predictions=predictions)
    return losses


@pytest.mark.parametrize('memory', [None, MEMORY], ids=['in batch', 'memory'])
@pytest.mark.parametrize(
    'loss',
    [
        dict(),
        dict(anchor_mode='hard-easy', anchor_unit='image-category', max_anchors=32),
        dict(key_sampling='all'),
        dict(key_sampling='hardest', key_scope='memory'),
    ],
    ids=['paper', 'code', 'all keys', 'hardest'],
)
def test_on_a_gpu_no_value_is_read_on_the_host(memory, loss):
    losses = step_without_values(memory=memory, loss=loss)
    assert losses['loss_contrast'].device.type == 'cuda'


def test_the_check_for_reads_on_the_host_finds_them(monkeypatch):
    monkeypatch.setattr('semcl_mm.downstream.pixel_contrast_head.reads_are_free', lambda x: True)
    with pytest.raises(DynamicOutputShapeException, match='nonzero'):
        step_without_values(memory=MEMORY)


def test_a_memory_of_kind_none_is_contrast_within_the_batch():
    losses = []
    for memory in (None, MEMORY | dict(memory='none')):
        torch.manual_seed(0)
        contrast = PixelContrastHead(6, CLASSES, dim=5, memory=memory)
        _, samples = batch()
        torch.manual_seed(1)
        features, predictions = torch.randn(2, 6, 16, 16), torch.randint(CLASSES, (2, 16, 16))
        losses.append(contrast.loss([features], samples, predictions=predictions))
    assert losses[0].keys() == losses[1].keys()
    assert losses[0]['loss_contrast'] == losses[1]['loss_contrast'] > 0
