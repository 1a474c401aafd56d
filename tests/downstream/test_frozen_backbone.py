"""The linear protocol: training changes the classifier and nothing of the backbone."""

import pytest
import torch
from mmengine.structures import PixelData
from mmseg.models import SegDataPreProcessor
from mmseg.structures import SegDataSample
from torch.optim import SGD

from semcl_mm.downstream import FrozenEncoderDecoder, LinearHead
from semcl_mm.engine import GroupedOptimWrapperConstructor

CLASSES = 3


def tiny_segmentor() -> FrozenEncoderDecoder:
    torch.manual_seed(0)
    narrow = dict(type='mmpretrain.ResNet', depth=18, stem_channels=8, base_channels=4)
    return FrozenEncoderDecoder(
        backbone=narrow | dict(out_indices=(2, 3), drop_path_rate=0.5),
        decode_head=dict(
            type=LinearHead, in_channels=[16, 32], in_index=[0, 1], num_classes=CLASSES
        ),
        data_preprocessor=dict(type=SegDataPreProcessor),
        train_cfg=dict(),
        test_cfg=dict(mode='whole'),
    )


def batch(size: int = 32):
    generator = torch.Generator().manual_seed(1)
    images = 2 + torch.randn(4, 3, size, size, generator=generator)  # not what BN expects
    samples = []
    for labels in torch.randint(CLASSES, (4, 1, size, size), generator=generator):
        sample = SegDataSample(metainfo=dict(img_shape=(size, size), ori_shape=(size, size)))
        sample.gt_sem_seg = PixelData(data=labels)
        samples.append(sample)
    return images, samples


def state(module) -> dict:
    return {key: value.clone() for key, value in module.state_dict().items()}


def test_training_changes_the_classifier_and_no_weight_or_buffer_of_the_backbone():
    model = tiny_segmentor().train()
    settings = dict(optimizer=dict(type=SGD, lr=0.5, momentum=0.9, weight_decay=0.1))
    optim_wrapper = GroupedOptimWrapperConstructor(settings)(model)
    backbone, head = state(model.backbone), state(model.decode_head)
    for _ in range(3):
        losses = model.loss(*batch())
        loss, _ = model.parse_losses(losses)
        optim_wrapper.update_params(loss)
    after = state(model.backbone)
    assert any('running_mean' in key for key in after)
    assert [key for key in after if not torch.equal(after[key], backbone[key])] == []
    assert all(parameter.grad is None for parameter in model.backbone.parameters())
    assert not torch.equal(model.decode_head.conv_seg.weight, head['conv_seg.weight'])
    trained = {p for group in optim_wrapper.param_groups for p in group['params']}
    assert trained == set(model.decode_head.conv_seg.parameters())


def test_features_in_training_are_those_of_evaluation_and_have_no_graph():
    """Neither batch statistics nor drop path: a linear probe of other features is none."""
    model, (images, _) = tiny_segmentor(), batch()
    with torch.no_grad():
        for module in model.backbone.modules():
            if hasattr(module, 'running_mean'):
                module.running_mean.normal_()
    expected = model.eval().extract_feat(images)
    for got, wanted in zip(model.train().extract_feat(images), expected, strict=True):
        assert torch.equal(got, wanted)
        assert not got.requires_grad
    assert model.training
    assert not any(module.training for module in model.backbone.modules())


@pytest.mark.parametrize('norm_cfg', [None, dict(type='BN', affine=False)])
def test_the_head_is_affine_in_the_features_of_all_chosen_stages(norm_cfg):
    torch.manual_seed(0)
    head = LinearHead(in_channels=[5, 7], in_index=[0, 1], num_classes=CLASSES, norm_cfg=norm_cfg)
    features = [torch.randn(2, 5, 8, 8), torch.randn(2, 7, 4, 4)]
    head(features)  # batch norm has seen something
    head.eval()
    zero = head([torch.zeros_like(feature) for feature in features])
    assert zero.shape == (2, CLASSES, 8, 8)
    first = head([features[0], torch.zeros_like(features[1])])
    second = head([torch.zeros_like(features[0]), features[1]])
    torch.testing.assert_close(head(features), first + second - zero)
    assert sum(p.numel() for p in head.parameters()) == 12 * CLASSES + CLASSES
