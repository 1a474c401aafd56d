"""Attention maps: Score-CAM against its definition, a ViT's class token against its own output."""

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from semcl_mm.models import TimmBackbone
from semcl_mm.visualization import ShownBackbone, class_attention, draw_attention, score_cam

MEAN, STD = torch.full((3, 1, 1), 128.0), torch.full((3, 1, 1), 64.0)


def shown(module, name='net'):
    return ShownBackbone(name, module.eval().requires_grad_(False), MEAN, STD)


@pytest.fixture
def network():
    torch.manual_seed(0)
    return shown(nn.Sequential(nn.Conv2d(3, 6, 5, 8), nn.Tanh(), nn.Conv2d(6, 5, 1)))


@pytest.fixture
def photos():
    return torch.randint(256, (2, 3, 48, 48), generator=torch.Generator().manual_seed(1)).byte()


def slow_score_cam(network, photo, kept, temperature):
    """Wang et al. (2020), Alg. 1, channel by channel, the score a cosine."""
    image = (photo[None].float() - 128) / 64
    maps = network.module(image)
    whole = F.normalize(maps.mean((2, 3)))
    scores = []
    for k in kept:
        mask = F.interpolate(maps[:, k : k + 1], (48, 48), mode='bilinear', align_corners=True)
        mask = (mask - mask.min()) / (mask.max() - mask.min())
        embedding = F.normalize(network.module(image * mask).mean((2, 3)))
        scores.append(float((embedding * whole).sum()) / temperature)
    weights = torch.tensor(scores).softmax(0)
    cam = sum(weight * maps[0, k] for weight, k in zip(weights, kept, strict=True)).relu()
    return (cam - cam.min()) / (cam.max() - cam.min())


@pytest.mark.parametrize('channels', [0, 3])
def test_score_cam_is_its_definition_with_a_cosine_as_score(network, photos, channels):
    pytest.importorskip('pytorch_grad_cam')
    maps = score_cam(network, photos, channels=channels, temperature=0.1, batch_size=2)
    assert maps.shape == (2, 48, 48)
    for photo, drawn in zip(photos, maps, strict=True):
        spread = network.module((photo[None].float() - 128) / 64)[0].flatten(1).var(1)
        kept = spread.argsort(descending=True)[: channels or 5].sort().values.tolist()
        exact = slow_score_cam(network, photo, kept, 0.1)
        fine = cv2.resize(exact.numpy(), (48, 48))
        fine = (fine - fine.min()) / (fine.max() - fine.min())
        np.testing.assert_allclose(drawn, fine, atol=1e-4)


def test_without_the_library_the_message_names_the_extra(network, photos, monkeypatch):
    monkeypatch.setitem(__import__('sys').modules, 'pytorch_grad_cam', None)
    with pytest.raises(ValueError, match=r'semcl_mm\[visualization\]'):
        score_cam(network, photos)


@pytest.mark.parametrize('library', ['mmpretrain', 'timm'])
def test_class_attention_weighs_the_values_that_the_block_adds_to_the_class_token(library, photos):
    """What enters the projection is, head by head, attention times values."""
    torch.manual_seed(0)
    if library == 'timm':
        module = TimmBackbone(
            'vit_tiny_patch16_224', out_indices=(-1,), img_size=48, depth=2, embed_dim=24
        )
        layer = module.timm_model.blocks[-1].attn
    else:
        from mmpretrain.models import VisionTransformer

        arch = dict(embed_dims=24, num_layers=2, num_heads=3, feedforward_channels=24)
        module = VisionTransformer(arch=arch, img_size=48, out_type='featmap')
        layer = module.layers[-1].attn
    for parameter in layer.qkv.parameters():  # far from uniform attention
        nn.init.normal_(parameter, std=0.5)
    seen = []
    layer.proj.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    inputs = []
    layer.register_forward_pre_hook(lambda _, given: inputs.append(given[0]))
    backbone = ShownBackbone('vit', module, MEAN, STD)
    module.eval()
    shares = torch.from_numpy(class_attention(backbone, photos))
    assert shares.shape == (2, 3, 3)
    heads = 3
    tokens = inputs[-1]
    query, key, value = layer.qkv(tokens).chunk(3, dim=-1)
    width = query.shape[-1] // heads
    total = 0
    for head in range(heads):
        cut = slice(head * width, (head + 1) * width)
        logits = query[:, :1, cut] @ key[..., cut].mT / width**0.5
        weights = logits.softmax(-1)
        output = (weights @ value[..., cut])[:, 0]
        torch.testing.assert_close(output, seen[-1][:, 0, cut], rtol=1e-4, atol=1e-5)
        total = total + weights[:, 0, 1:] / heads
    torch.testing.assert_close(shares.flatten(1), total, rtol=1e-4, atol=1e-6)


def test_a_network_without_a_class_token_is_named(network, photos):
    with pytest.raises(ValueError, match='Sequential has no class token'):
        draw_attention([network], photos, 'class-token')


def test_the_same_backbone_twice_gives_the_same_panel(network, photos):
    pytest.importorskip('pytorch_grad_cam')
    figure = draw_attention([network, network._replace(name='again')], photos, channels=2)
    axes = np.array(figure.axes).reshape(2, 3)
    assert [axis.get_title(loc='left') for axis in axes[0]] == ['photo', 'net', 'again']
    for row in axes:
        one, two = (axis.images[1].get_array() for axis in row[1:])
        assert np.array_equal(one, two)
