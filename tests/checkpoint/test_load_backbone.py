"""A load covers the backbone or stops; what it did is reported key by key."""

import math

import pytest
import torch
from checkpoint_networks import SWIN, VIT, randomise, small_resnet
from mmpretrain.models import SwinTransformer, VisionTransformer

from semcl_mm.checkpoint import CheckpointError, CheckpointMismatch, load_backbone
from semcl_mm.checkpoint.report import LoadReport
from semcl_mm.checkpoint.resizing import resize_position_embedding, resize_relative_position_table


def snapshot(model) -> dict:
    return {key: value.clone() for key, value in model.state_dict().items()}


def same(a: dict, b: dict) -> bool:
    return all(torch.equal(a[key], b[key]) for key in a)


def test_every_value_is_the_files(saved):
    source, backbone = randomise(small_resnet()), small_resnet()
    source.bn1.num_batches_tracked.fill_(42)
    report = load_backbone(backbone, saved(source.state_dict()))
    assert same(source.state_dict(), backbone.state_dict())
    assert backbone.bn1.num_batches_tracked == 42
    assert report.complete
    assert report.coverage == 1
    # 20 convolutions, 20 norms of 4 tensors each; the counters do not count
    assert report.required == len(report.loaded) == 100


@pytest.mark.parametrize(
    ('source', 'target'),
    [
        (lambda: small_resnet(), lambda: small_resnet(50)),
        (lambda: small_resnet(34), lambda: small_resnet()),
        (lambda: SwinTransformer(arch={**SWIN, 'depths': [1, 1, 4, 1]}),
         lambda: SwinTransformer(arch=SWIN)),
        (lambda: SwinTransformer(arch=SWIN),
         lambda: SwinTransformer(arch={**SWIN, 'depths': [1, 1, 4, 1]})),
        (lambda: SwinTransformer(arch=SWIN), lambda: small_resnet()),
        (lambda: SwinTransformer(arch={**SWIN, 'embed_dims': 48}),
         lambda: SwinTransformer(arch=SWIN)),
    ],
    ids=['shallower', 'deeper', 'deeper swin', 'shallower swin', 'other family', 'wider'],
)  # fmt: skip
def test_another_architecture_stops_and_changes_nothing(source, target, saved):
    backbone = target()
    before = snapshot(backbone)
    path = saved(source().state_dict())
    with pytest.raises(CheckpointMismatch, match=r'weights\.pth'):
        load_backbone(backbone, path)
    assert same(before, backbone.state_dict())


def test_a_deeper_file_says_first_which_stage_is_deeper_and_claims_no_coverage(saved):
    path = saved(small_resnet(34).state_dict())
    with pytest.raises(CheckpointMismatch) as caught:
        load_backbone(small_resnet(), path)
    first, rest = str(caught.value).split('\n', 1)
    assert 'holds a deeper network than this ResNet: layer1 has 3 blocks in the file and 2' in first
    assert 'layer3 has 6 blocks in the file and 2 here' in first
    assert 'of the file would go unused (layer1.2.conv1.weight…)' in first
    assert '%' not in first
    assert 'layer3: 6 blocks in the file, 2 in the backbone' in rest


def test_below_99_percent_the_message_lists_keys_shapes_and_what_to_do(saved):
    state = small_resnet().state_dict()
    del state['layer4.1.conv2.weight']
    state['conv1.weight'] = torch.zeros(8, 4, 7, 7)
    with pytest.raises(CheckpointMismatch) as caught:
        load_backbone(small_resnet(), saved(state))
    message = str(caught.value)
    assert '98 of the 100 tensors' in message
    assert 'layer4.1.conv2.weight' in message
    assert 'conv1.weight: (8, 4, 7, 7) in the file, (8, 3, 7, 7) in the backbone' in message
    assert 'allow_partial' in message
    assert caught.value.report.missing == ['layer4.1.conv2.weight']


def test_99_percent_are_enough_and_a_flag_accepts_less(saved):
    source = randomise(small_resnet())
    state = source.state_dict()
    del state['layer4.1.conv2.weight']
    backbone = small_resnet()
    report = load_backbone(backbone, saved(state))
    assert report.coverage == 0.99
    assert not report.complete

    for key in list(state):
        if key.startswith('layer4'):
            del state[key]
    path = saved(state)
    with pytest.raises(CheckpointMismatch):
        load_backbone(backbone, path)
    kept = snapshot(backbone)['layer4.0.conv1.weight']
    report = load_backbone(backbone, path, allow_partial=True)
    assert 0.5 < report.coverage < 0.99
    assert torch.equal(backbone.layer4[0].conv1.weight, kept)
    assert torch.equal(backbone.conv1.weight, source.conv1.weight)


def test_a_partial_load_of_nothing_is_an_error(saved):
    path = saved({'somewhere.else': torch.ones(3)})
    with pytest.raises(CheckpointMismatch, match='0 of the 100'):
        load_backbone(small_resnet(), path, allow_partial=True)


def test_a_file_without_weights_is_an_error(saved):
    with pytest.raises(CheckpointError, match='it holds epoch'):
        load_backbone(small_resnet(), saved({'epoch': 3}))


def test_norms_that_only_dense_tasks_have_do_not_count(saved):
    source = randomise(SwinTransformer(arch=SWIN))
    backbone = SwinTransformer(arch=SWIN, out_indices=(0, 1, 2, 3))
    report = load_backbone(backbone, saved(source.state_dict()))
    assert report.coverage == 1
    assert report.fresh == [f'norm{i}.{x}' for i in range(3) for x in ('weight', 'bias')]
    assert torch.equal(backbone.norm3.weight, source.norm3.weight)


def test_the_last_norm_does_count(saved):
    state = SwinTransformer(arch=SWIN).state_dict()
    del state['norm3.weight'], state['norm3.bias']
    path = saved(state)
    with pytest.raises(CheckpointMismatch, match=r'norm3\.weight'):
        load_backbone(SwinTransformer(arch=SWIN), path)


def test_another_window_is_interpolated_and_reported(saved, caplog):
    source = randomise(SwinTransformer(arch=SWIN))
    backbone = SwinTransformer(arch=SWIN, window_size=4)
    index = backbone.stages[0].blocks[0].attn.w_msa.relative_position_index.clone()
    report = load_backbone(backbone, saved(source.state_dict()))
    key = 'stages.0.blocks.0.attn.w_msa.relative_position_bias_table'
    assert report.resized[key] == ((169, 1), (49, 1))
    assert len(report.resized) == 5
    assert not report.complete
    assert torch.equal(backbone.stages[0].blocks[0].attn.w_msa.relative_position_index, index)


def test_a_relative_position_table_is_interpolated_as_an_image_of_offsets():
    offsets = torch.stack(torch.meshgrid(*[torch.linspace(-1, 1, 13)] * 2, indexing='ij'))
    table = torch.stack([2 * offsets[0] + 1, offsets[1]], dim=-1).reshape(169, 2)
    resized = resize_relative_position_table(table, 49).reshape(7, 7, 2)
    # affine in the offset, so that the middle, and symmetry around it, must survive
    torch.testing.assert_close(resized[3, 3], torch.tensor([1.0, 0.0]))
    torch.testing.assert_close(resized[..., 1], -resized[..., 1].flip(1))
    torch.testing.assert_close(resized[..., 1], resized[:1, :, 1].expand(7, 7))
    with pytest.raises(ValueError, match='square'):
        resize_relative_position_table(table, 50)


def test_a_vit_for_another_image_size_keeps_its_class_token(saved):
    source = randomise(VisionTransformer(arch=VIT, img_size=32, patch_size=8))
    for with_cls_token in (True, False):
        backbone = VisionTransformer(
            arch=VIT, img_size=64, patch_size=8, with_cls_token=with_cls_token, out_type='featmap'
        )
        report = load_backbone(backbone, saved(source.state_dict()))
        assert report.coverage == 1
        assert report.resized == {'pos_embed': ((1, 17, 128), (1, 64 + with_cls_token, 128))}
        expected = torch.nn.functional.interpolate(
            source.pos_embed[:, 1:].reshape(1, 4, 4, 128).permute(0, 3, 1, 2),
            size=(8, 8), mode='bicubic', align_corners=False,
        ).flatten(2).transpose(1, 2)  # fmt: skip
        torch.testing.assert_close(backbone.pos_embed[:, with_cls_token:], expected)
        if with_cls_token:
            assert torch.equal(backbone.pos_embed[:, :1], source.pos_embed[:, :1])


def test_an_embedding_of_the_same_size_is_not_touched():
    embedding = torch.randn(1, 17, 8)
    same_size = resize_position_embedding(embedding, (1, 4), embedding.shape, (1, 4))
    assert torch.equal(same_size, embedding)


def test_half_precision_files_fill_a_single_precision_backbone(saved):
    source = randomise(small_resnet()).half()
    backbone = small_resnet()
    assert load_backbone(backbone, saved(source.state_dict())).complete
    assert backbone.conv1.weight.dtype is torch.float32
    assert torch.equal(backbone.conv1.weight.half(), source.conv1.weight)


def test_values_that_a_backbone_does_not_take_are_noticed(saved):
    class DeafConv(torch.nn.Conv2d):
        def _load_from_state_dict(self, *args):
            pass

    source, backbone = randomise(small_resnet()), small_resnet()
    backbone.conv1 = DeafConv(3, 8, 7, bias=False)
    with pytest.raises(CheckpointError, match='did not take the values of 1 tensors'):
        load_backbone(backbone, saved(source.state_dict()))


def test_values_that_are_not_finite_are_reported(saved):
    source = randomise(small_resnet())
    source.conv1.weight.data[0, 0, 0, 0] = math.nan
    report = load_backbone(small_resnet(), saved(source.state_dict()))
    assert report.not_finite == ['conv1.weight']
    assert 'not finite (1)' in str(report)


def test_long_lists_are_shortened():
    report = LoadReport('x.pth', 'plain:unknown', missing=[f'key{i}' for i in range(40)])
    assert 'missing in the file (40):' in report.details()
    assert '… and 28 more' in report.details()
