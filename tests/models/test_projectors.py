"""Heads as the specification lists them, layer by layer."""

import pytest
import torch
from torch import nn

from semcl_mm.models import MLPHead
from semcl_mm.models.projectors import HeadBatchNorm, global_pool


def layers_of(head):
    """(kind, ...) of each layer, in short."""
    described = []
    for layer in head.mlp:
        if isinstance(layer, nn.Linear):
            assert layer.bias is None
            described.append((layer.in_features, layer.out_features))
        elif isinstance(layer, nn.BatchNorm1d):
            described.append('affine' if layer.affine else 'plain')
        else:
            described.append(type(layer).__name__)
    return described


def test_resnet_heads():
    projector = MLPHead(2048)
    predictor = MLPHead(256, last_norm=False)
    assert layers_of(projector) == [(2048, 4096), 'affine', 'ReLU', (4096, 256), 'plain']
    assert layers_of(predictor) == [(256, 4096), 'affine', 'ReLU', (4096, 256)]


def test_swin_heads():
    hidden = [(768, 4096), 'affine', 'ReLU', (4096, 4096), 'affine', 'ReLU', (4096, 256), 'plain']
    assert layers_of(MLPHead(768, num_layers=3)) == hidden
    assert layers_of(MLPHead(256)) == [(256, 4096), 'affine', 'ReLU', (4096, 256), 'plain']


def test_pooling_takes_the_deepest_output():
    maps = (torch.zeros(2, 4, 8, 8), torch.arange(24.0).reshape(2, 3, 2, 2))
    expected = torch.tensor([[1.5, 5.5, 9.5], [13.5, 17.5, 21.5]])
    assert torch.equal(global_pool(maps), expected)
    assert torch.equal(global_pool(maps[1].flatten(2).transpose(1, 2)), expected)
    assert torch.equal(global_pool([expected]), expected)
    with pytest.raises(ValueError, match='got \\(3,\\)'):
        global_pool(torch.zeros(3))


def test_head_norm_is_batch_norm_from_two_samples_on():
    own, torchs = HeadBatchNorm(5), nn.BatchNorm1d(5)
    batch = torch.randn(3, 5)
    assert torch.equal(own(batch), torchs(batch))
    assert torch.equal(own.running_var, torchs.running_var)


def test_head_norm_of_one_sample_uses_the_running_statistics():
    norm = HeadBatchNorm(1, affine=False, eps=1e-9)
    norm.running_mean.fill_(2.0)
    norm.running_var.fill_(9.0)
    output = norm(torch.tensor([[12.0]]))
    mean = 2 + 0.1 * 10
    variance = 9 + 0.1 * (100 - 9)
    torch.testing.assert_close(norm.running_mean, torch.tensor([mean]))
    torch.testing.assert_close(norm.running_var, torch.tensor([variance]))
    torch.testing.assert_close(output, torch.tensor([[(12 - mean) / variance**0.5]]))
    norm.eval()
    norm(torch.tensor([[0.0]]))
    torch.testing.assert_close(norm.running_mean, torch.tensor([mean]))


def test_a_head_without_a_layer_is_an_error():
    with pytest.raises(ValueError, match='num_layers must be at least 1, got 0'):
        MLPHead(8, num_layers=0)
