"""Weights of other libraries compute the same features in ours."""

import pytest
import timm
import torch
import torchvision
from checkpoint_networks import CONVNEXT, SWIN, VIT, randomise
from mmpretrain.models import (
    ConvNeXt,
    DistilledVisionTransformer,
    ResNet,
    ResNetV1d,
    ResNeXt,
    SwinTransformer,
    VisionTransformer,
)
from torch import nn

from semcl_mm.checkpoint import backbone_state, detect_layout, load_backbone
from semcl_mm.checkpoint.foreign_models import foreign_features
from semcl_mm.checkpoint.layouts import from_ours, is_head, is_recomputed, to_ours
from semcl_mm.models import TimmBackbone


def timm_swin(**kwargs) -> nn.Module:
    return timm.models.swin_transformer.SwinTransformer(
        embed_dim=24, depths=(1, 1, 2, 1), num_heads=(1, 2, 4, 8), num_classes=5, **kwargs
    )


def torchvision_swin() -> nn.Module:
    return torchvision.models.SwinTransformer(
        [4, 4], 24, [1, 1, 2, 1], [1, 2, 4, 8], [7, 7], num_classes=5
    )


def timm_vit(cls=timm.models.vision_transformer.VisionTransformer, **kwargs) -> nn.Module:
    sizes = {'img_size': 32, 'patch_size': 8, 'embed_dim': 128, 'depth': 2, 'num_heads': 2}
    return cls(**sizes, mlp_ratio=2.0, num_classes=5, **kwargs)


def torchvision_vit() -> nn.Module:
    return torchvision.models.VisionTransformer(32, 8, 2, 2, 128, 256, num_classes=5)


def timm_convnext() -> nn.Module:
    return timm.models.convnext.ConvNeXt(
        depths=(1, 2, 1, 1), dims=(8, 16, 24, 32), num_classes=5, ls_init_value=1.0
    )


def mm_vit(cls=VisionTransformer, **kwargs) -> nn.Module:
    return cls(arch=VIT, img_size=32, patch_size=8, out_type='raw', **kwargs)


PAIRS = {
    'torchvision resnet18': (torchvision.models.resnet18, lambda: ResNet(depth=18), 64),
    'torchvision resnet50': (torchvision.models.resnet50, lambda: ResNet(depth=50), 64),
    'torchvision resnext50': (torchvision.models.resnext50_32x4d, lambda: ResNeXt(depth=50), 64),
    'timm resnet18d': (lambda: timm.create_model('resnet18d'), lambda: ResNetV1d(depth=18), 64),
    'timm resnet50d': (lambda: timm.create_model('resnet50d'), lambda: ResNetV1d(depth=50), 64),
    'timm swin': (timm_swin, lambda: SwinTransformer(arch=SWIN), 224),
    'torchvision swin': (torchvision_swin, lambda: SwinTransformer(arch=SWIN), 224),
    'timm vit': (timm_vit, mm_vit, 32),
    'timm vit with layer scale': (
        lambda: timm_vit(init_values=1e-5),
        lambda: mm_vit(layer_scale_init_value=1e-5),
        32,
    ),
    'timm distilled deit': (
        lambda: timm_vit(timm.models.deit.VisionTransformerDistilled),
        lambda: mm_vit(DistilledVisionTransformer),
        32,
    ),
    'torchvision vit': (torchvision_vit, mm_vit, 32),
    'timm convnext': (timm_convnext, lambda: ConvNeXt(arch=CONVNEXT), 64),
}


LARGE = {'torchvision resnext50', 'timm resnet50d'}  # smaller tests cover all but their shapes


@pytest.mark.parametrize(
    'name', [pytest.param(n, marks=[pytest.mark.slow] * (n in LARGE)) for n in PAIRS]
)
@torch.no_grad()
def test_foreign_weights_compute_the_same_features_in_mmpretrain(name, images, saved):
    build_theirs, build_ours, size = PAIRS[name]
    theirs, ours = randomise(build_theirs()), build_ours()

    report = load_backbone(ours, saved(theirs.state_dict()))
    ours.eval()

    assert report.complete, report
    torch.testing.assert_close(
        ours(images(size))[-1], foreign_features(theirs, images(size)), rtol=1e-5, atol=1e-5
    )


def official_swin_from_timm(state: dict, stages: int = 4) -> dict:
    """What Microsoft's repository would have saved: merging at the end of a stage, buffers."""
    official = {}
    for key, value in state.items():
        for stage in range(1, stages):
            if key.startswith(f'layers.{stage}.downsample.'):
                key = key.replace(f'layers.{stage}.', f'layers.{stage - 1}.', 1)
                break
        official[key.replace('head.fc.', 'head.')] = value
    for stage in range(stages):
        official[f'layers.{stage}.blocks.0.attn.relative_position_index'] = torch.zeros(
            49, 49
        ).long()
    official['layers.0.blocks.1.attn_mask'] = torch.zeros(64, 49, 49)
    return official


@torch.no_grad()
def test_official_swin_agrees_with_what_timm_makes_of_the_same_file(images, saved):
    reference = timm_swin()
    official = official_swin_from_timm(randomise(timm_swin(), seed=3).state_dict())
    assert detect_layout(official).name == 'swin/official'
    converted = timm.models.swin_transformer.checkpoint_filter_fn({'model': official}, reference)
    reference.load_state_dict(converted)
    reference.eval()

    ours = SwinTransformer(arch=SWIN)
    report = load_backbone(ours, saved({'model': official}))
    ours.eval()

    assert report.complete, report
    assert report.skipped == {'head': 2}
    torch.testing.assert_close(
        ours(images(224))[-1], foreign_features(reference, images(224)), rtol=1e-5, atol=1e-5
    )


@torch.no_grad()
def test_official_convnext_agrees_with_what_timm_makes_of_the_same_file(images, saved):
    source = randomise(ConvNeXt(arch=CONVNEXT))
    names = {'depthwise_conv': 'dwconv', 'pointwise_conv': 'pwconv', 'norm3.': 'norm.'}
    official = {}
    for key, value in source.state_dict().items():
        for ours, theirs in names.items():
            key = key.replace(ours, theirs)
        official[key] = value
    official |= {'head.weight': torch.zeros(5, 32), 'head.bias': torch.zeros(5)}
    reference = timm_convnext()
    converted = timm.models.convnext.checkpoint_filter_fn({'model': dict(official)}, reference)
    reference.load_state_dict(converted)
    reference.eval()

    ours = ConvNeXt(arch=CONVNEXT)
    report = load_backbone(ours, saved({'model': official}))
    ours.eval()

    assert report.complete, report
    torch.testing.assert_close(
        ours(images(64))[-1], foreign_features(reference, images(64)), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize(
    'build',
    [torchvision_swin, timm_swin, timm_vit, torchvision_vit, timm_convnext,
     lambda: timm.create_model('resnet50d')],
)  # fmt: skip
def test_renaming_there_and_back_changes_nothing(build):
    state = {
        key: value
        for key, value in randomise(build()).state_dict().items()
        if not is_recomputed(key) and (not is_head(key) or key.startswith('head.norm'))
    }
    layout = detect_layout(state)
    ours = to_ours(state, layout)
    back = from_ours(ours.state, layout)
    assert ours.unknown == back.unknown == []
    assert set(ours.state) != set(state)
    assert set(back.state) == set(state)
    assert all(torch.equal(back.state[key], value) for key, value in state.items())


@pytest.mark.parametrize(
    ('model_name', 'small', 'source', 'options'),
    [
        (
            'swin_tiny_patch4_window7_224',
            {'embed_dim': 24, 'depths': (1, 1, 2, 1), 'num_heads': (1, 2, 4, 8)},
            SwinTransformer,
            {'arch': SWIN},
        ),
        ('resnet18', {}, ResNet, {'depth': 18}),
    ],
)
@torch.no_grad()
def test_mmpretrain_weights_go_into_a_timm_backbone(
    model_name, small, source, options, images, saved
):
    ours = randomise(source(**options))
    state = {f'backbone.{key}': value for key, value in ours.state_dict().items()}
    backbone = TimmBackbone(model_name, out_indices=(-1,), **small)

    report = load_backbone(backbone, saved({'state_dict': state}))
    backbone.eval()

    assert report.complete, report
    torch.testing.assert_close(
        backbone(images(224))[-1], ours(images(224))[-1], rtol=1e-4, atol=1e-4
    )


@torch.no_grad()
def test_timm_weights_of_any_architecture_go_into_a_timm_backbone(images, saved):
    model = randomise(timm.create_model('mobilenetv3_small_050', num_classes=7))
    backbone = TimmBackbone('mobilenetv3_small_050', out_indices=(-1,))
    report = load_backbone(backbone, saved(model.state_dict()))
    assert report.coverage == 1
    own = backbone.timm_model.state_dict()
    assert all(torch.equal(own[key], model.state_dict()[key]) for key in own)


def test_timm_weights_go_into_timms_own_feature_extractor(saved):
    model = randomise(timm_swin())
    features = timm.models.FeatureListNet(timm_swin(), out_indices=(0, 1, 2, 3),
                                          flatten_sequential=True)  # fmt: skip
    report = load_backbone(features, saved(model.state_dict()))
    assert detect_layout(features.state_dict()).name == 'swin/timm-features'
    assert report.coverage == 1
    weight = features.state_dict()['layers_2.downsample.reduction.weight']
    assert torch.equal(weight, model.layers[2].downsample.reduction.weight)


@torch.no_grad()
def test_a_deep_stem_changes_names_between_mmpretrain_and_mmsegmentation(images, saved):
    from mmseg.models.backbones import ResNetV1d as MMSegResNetV1d

    source, target = randomise(MMSegResNetV1d(depth=50)), ResNetV1d(depth=50)
    report = load_backbone(target, saved(source.state_dict()))
    target.eval()
    assert report.complete, report
    torch.testing.assert_close(target(images(64))[-1], source(images(64))[-1])

    back = MMSegResNetV1d(depth=50)
    assert load_backbone(back, saved(target.state_dict())).complete
    back.eval()
    torch.testing.assert_close(back(images(64))[-1], source(images(64))[-1])


def small_hrnet(cls) -> nn.Module:
    """timm's hrnet_w18_small."""
    stage = [dict(num_modules=1, num_branches=1, num_blocks=(1,), num_channels=(32,))]
    stage += [
        dict(num_modules=1, num_branches=n, num_blocks=(2,) * n, num_channels=(16, 32, 64, 128)[:n])
        for n in (2, 3, 4)
    ]
    blocks = ('BOTTLENECK', 'BASIC', 'BASIC', 'BASIC')
    return cls(extra={f'stage{i}': dict(s, block=blocks[i - 1]) for i, s in enumerate(stage, 1)})


@torch.no_grad()
def test_an_imagenet_hrnet_goes_into_mmpretrain_and_mmsegmentation_without_its_classifier(
    images, saved
):
    """mmsegmentation's fusion resizes bilinearly where the others repeat pixels: tensors count."""
    from mmpretrain.models import HRNet
    from mmseg.models import HRNet as MMSegHRNet

    theirs = randomise(timm.create_model('hrnet_w18_small'))
    official = saved({'state_dict': {f'module.{k}': v for k, v in theirs.state_dict().items()}})
    ours, dense = small_hrnet(HRNet), small_hrnet(MMSegHRNet)
    for backbone in (ours, dense):
        report = load_backbone(backbone, official)
        assert report.complete, report
        assert report.source_format.endswith('hrnet/official')
        assert set(report.skipped) == {
            'incre_modules', 'downsamp_modules', 'final_layer', 'classifier'
        }  # fmt: skip
        own = backbone.state_dict()
        assert all(torch.equal(own[k], theirs.state_dict()[k]) for k in own)
    ours.eval()
    stem = theirs.act2(theirs.bn2(theirs.conv2(theirs.act1(theirs.bn1(theirs.conv1(images(64)))))))
    for mine, other in zip(ours(images(64)), theirs.stages(stem), strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-5, atol=1e-5)
    published = saved({'state_dict': {f'backbone.{k}': v for k, v in own.items()}, 'meta': {}})
    assert load_backbone(small_hrnet(MMSegHRNet), published).complete


def test_without_a_backbone_the_names_are_mmpretrains(saved):
    state, source = backbone_state(randomise(timm_swin()).state_dict())
    expected = {key for key in SwinTransformer(arch=SWIN).state_dict() if not is_recomputed(key)}
    assert set(state) == expected
    assert source == 'plain:swin/timm'
