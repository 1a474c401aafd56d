"""The encoder is found in whatever a training program wrapped around it."""

from itertools import pairwise

import pytest
import torch
from checkpoint_networks import SWIN, randomise, small_resnet
from mmpretrain.models import ResNet, SwinTransformer
from torch import nn

from semcl_mm.checkpoint import CheckpointError, backbone_state, convert, load_backbone
from semcl_mm.models import MLPHead, SemCL

ONLINE, TARGET = 1, 2


def resnet(seed: int) -> dict:
    model = small_resnet()
    model.fc = nn.Linear(64, 5)
    return randomise(model, seed).state_dict()


def prefixed(prefix: str, state: dict, without: str = 'fc.') -> dict:
    return {prefix + key: value for key, value in state.items() if not key.startswith(without)}


HEADS = {'module.base_encoder.fc.0.weight': torch.zeros(4, 64),
         'module.predictor.0.weight': torch.zeros(4, 4)}  # fmt: skip
FORMS = {
    'bare': lambda: resnet(ONLINE),
    'bkb_ of moco2bkb.py with a random classifier': lambda: {'state_dict': resnet(ONLINE)},
    'DDP': lambda: {'model': prefixed('module.', resnet(ONLINE))},
    'torch.compile': lambda: {'state_dict': prefixed('_orig_mod.backbone.', resnet(ONLINE))},
    'compiled backbone': lambda: {'state_dict': prefixed('backbone._orig_mod.', resnet(ONLINE))},
    'Lightning': lambda: {'state_dict': prefixed('model.backbone.', resnet(ONLINE))},
    'mmseg': lambda: {
        'meta': {'epoch': 1},
        'state_dict': prefixed('backbone.', resnet(ONLINE))
        | {'decode_head.conv_seg.weight': torch.zeros(2, 3)},
    },
    'timm wrapper of mmpretrain': lambda: {
        'state_dict': prefixed('backbone.timm_model.', resnet(ONLINE))
    },
    'semcl_mm': lambda: {
        'state_dict': prefixed('backbone.', resnet(ONLINE))
        | prefixed('target_backbone.', resnet(TARGET))
        | {'projector.mlp.0.weight': torch.zeros(4, 64)}
    },
    'moco-v3 and SemCL': lambda: {
        'state_dict': prefixed('module.base_encoder.', resnet(ONLINE))
        | prefixed('module.momentum_encoder.', resnet(TARGET))
        | HEADS
    },
    'moco-v2': lambda: {
        'state_dict': prefixed('module.encoder_q.', resnet(ONLINE))
        | prefixed('module.encoder_k.', resnet(TARGET))
        | {'module.queue': torch.zeros(4, 8), 'module.encoder_q.fc.0.weight': torch.zeros(4, 64)}
    },
    'mmpretrain MoCo v3': lambda: {
        'state_dict': prefixed('backbone.', resnet(ONLINE))
        | prefixed('momentum_encoder.module.0.', resnet(TARGET))
        | {'momentum_encoder.steps': torch.tensor(3), 'neck.fc0.weight': torch.zeros(4, 64)}
    },
    'mmpretrain MoCo v2': lambda: {
        'state_dict': prefixed('backbone.', resnet(ONLINE))
        | prefixed('encoder_k.module.0.', resnet(TARGET))
        | {'queue': torch.zeros(4, 8)}
    },
    'DINO': lambda: {
        'student': prefixed('module.backbone.', resnet(ONLINE)),
        'teacher': prefixed('backbone.', resnet(TARGET)),
    },
    'averaged weights of timm': lambda: {
        'state_dict': resnet(ONLINE),
        'state_dict_ema': resnet(TARGET),
    },
}
WITH_TARGET = ['semcl_mm', 'moco-v3 and SemCL', 'moco-v2', 'mmpretrain MoCo v3',
               'mmpretrain MoCo v2', 'DINO', 'averaged weights of timm']  # fmt: skip


@pytest.mark.parametrize('form', FORMS)
def test_the_encoder_is_found_and_nothing_else(form, saved):
    backbone = small_resnet()
    report = load_backbone(backbone, saved(FORMS[form]()))
    assert report.complete, report
    expected = resnet(ONLINE)
    own = backbone.state_dict()
    assert all(torch.equal(own[key], expected[key]) for key in own)


@pytest.mark.parametrize('form', WITH_TARGET)
def test_the_target_encoder_can_be_chosen(form, saved):
    backbone = small_resnet()
    report = load_backbone(backbone, saved(FORMS[form]()), which='target')
    assert report.complete, report
    assert torch.equal(backbone.conv1.weight, resnet(TARGET)['conv1.weight'])


def test_asking_for_a_target_that_is_not_there_is_an_error(saved):
    with pytest.raises(CheckpointError, match='no target network'):
        load_backbone(small_resnet(), saved(resnet(ONLINE)), which='target')
    with pytest.raises(ValueError, match="'ema'"):
        load_backbone(small_resnet(), saved(resnet(ONLINE)), which='ema')


def test_parts_that_are_not_used_are_counted(saved):
    report = load_backbone(small_resnet(), saved(FORMS['moco-v3 and SemCL']()))
    assert report.skipped == {'momentum_encoder': 120, 'predictor': 1, 'fc': 1}
    assert report.unexpected == []
    assert report.source_format == 'moco-v3:resnet/torchvision'


def test_a_file_that_holds_heads_alone_has_no_backbone():
    with pytest.raises(CheckpointError, match='only heads'):
        backbone_state({'fc.weight': torch.zeros(1), 'fc.bias': torch.zeros(1)})


def moco_mlp(widths: list[int], last_norm: bool) -> nn.Sequential:
    """The MLP of MoCo v3's repository, which SemCL's authors kept."""
    layers = []
    for index, (inputs, outputs) in enumerate(pairwise(widths)):
        layers.append(nn.Linear(inputs, outputs, bias=False))
        if index < len(widths) - 2:
            layers += [nn.BatchNorm1d(outputs), nn.ReLU()]
        elif last_norm:
            layers.append(nn.BatchNorm1d(outputs, affine=False))
    return nn.Sequential(*layers)


class WithHead(ResNet):
    """torchvision's classifier head, into which MoCo v3 puts the projector."""

    def __init__(self, **kwargs) -> None:
        super().__init__(**kwargs)
        self.fc = moco_mlp([64, 16, 8], last_norm=True)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.fc(super().forward(images)[-1].mean(dim=(2, 3)))


def official_semcl() -> nn.Module:
    model = nn.Module()
    model.base_encoder = small_resnet(cls=WithHead)
    model.momentum_encoder = small_resnet(cls=WithHead)
    model.predictor = moco_mlp([8, 16, 8], last_norm=False)
    return randomise(model)


@torch.no_grad()
def test_a_full_conversion_of_official_semcl_gives_the_same_queries_and_keys(images, saved):
    official = official_semcl()
    state = {f'module.{key}': value for key, value in official.state_dict().items()}
    conversion = convert(saved({'state_dict': state, 'epoch': 3}, 'semcl.pth.tar'), full=True)

    ours = SemCL(
        backbone={'type': ResNet, 'depth': 18, 'stem_channels': 8, 'base_channels': 8},
        projector={'type': MLPHead, 'in_channels': 64, 'hidden_channels': 16, 'out_channels': 8},
        predictor={'type': MLPHead, 'in_channels': 8, 'hidden_channels': 16, 'out_channels': 8,
                   'last_norm': False},
        loss=nn.Identity(),
    )  # fmt: skip
    problems = ours.load_state_dict(conversion.checkpoint['state_dict'], strict=False)
    assert not problems.unexpected_keys
    assert all(key.startswith('data_preprocessor') for key in problems.missing_keys)
    ours.eval()

    queries = ours.predictor(ours.projector(ours.backbone(images(64))))
    keys = ours.target_projector(ours.target_backbone(images(64)))
    torch.testing.assert_close(queries, official.predictor(official.base_encoder(images(64))))
    torch.testing.assert_close(keys, official.momentum_encoder(images(64)))
    assert 'left out' not in conversion.summary()
    assert conversion.parts == {
        'backbone': 120, 'projector': 10, 'target_projector': 10, 'predictor': 7,
        'target_backbone': 120,
    }  # fmt: skip


def test_a_full_conversion_keeps_our_own_training_checkpoint_as_it_is(saved):
    ours = SemCL(
        backbone={'type': SwinTransformer, 'arch': SWIN},
        projector={'type': MLPHead, 'in_channels': 192, 'hidden_channels': 16, 'out_channels': 8},
        predictor={'type': MLPHead, 'in_channels': 8, 'hidden_channels': 16, 'out_channels': 8},
        loss=nn.Identity(),
    )
    state = randomise(ours).state_dict()
    converted = convert(saved({'state_dict': state}), full=True).checkpoint['state_dict']
    assert set(converted) == set(state)
    assert all(torch.equal(value, state[key]) for key, value in converted.items())


def test_a_full_conversion_without_a_projector_is_an_error(saved):
    with pytest.raises(CheckpointError, match='no projector'):
        convert(saved(resnet(ONLINE)), full=True)
