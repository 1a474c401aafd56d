"""SemCL against the authors' training step written out as a loop, and its invariants."""

import copy
import math

import pytest
import torch
import torch.nn.functional as F
from mmpretrain.structures import DataSample
from tiny_networks import random_views, tiny_semcl

from semcl_mm.losses import PairedInfoNCELoss
from semcl_mm.models import UnpairedInfoNCELoss
from semcl_mm.models.momentum import has_batch_statistics


def embeddings_one_by_one(model, views):
    """q[view][role] and k[view][role]: each group of images alone through the whole network."""
    queries, keys = [], []
    for view in views:
        queries.append([])
        keys.append([])
        for role in (0, 1):
            images = view[:, role]
            query = model.predictor(model.projector(model.backbone(images)))
            queries[-1].append(F.normalize(query, dim=-1))
            with torch.no_grad():
                key = model.target_projector(model.target_backbone(images))
            keys[-1].append(F.normalize(key, dim=-1))
    return queries, keys


def authors_loss(model, views, symmetric=True, pairing='cyclic', temperature=0.2):
    """(V + 1)-way cross-entropies, sample by sample."""
    queries, keys = embeddings_one_by_one(model, views)
    count = len(views)
    pairs = [(t, (t + 1) % count) for t in range(count)]
    if pairing == 'triangular':
        pairs = [(t, j) for t in range(count) for j in range(t + 1, count)]
    total = 0
    for role in (0, 1) if symmetric else (0,):
        for t, j in pairs:
            terms = []
            for sample in range(len(views[0])):
                query = queries[t][role][sample]
                logits = [query @ keys[j][role][sample]]
                logits += [query @ keys[w][1 - role][sample] for w in range(count)]
                logits = torch.stack(logits) / temperature
                terms.append(F.cross_entropy(logits[None], torch.tensor([0])))
            total = total + sum(terms) / len(terms)
    return total


def gradients(model):
    return {n: p.grad for n, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize('batch_norm', [True, False])
@pytest.mark.parametrize('symmetric', [True, False])
@pytest.mark.parametrize('pairing', ['cyclic', 'triangular'])
def test_loss_and_gradient_are_the_authors(batch_norm, symmetric, pairing):
    model = tiny_semcl(batch_norm, symmetric=symmetric, loss=PairedInfoNCELoss(pairing=pairing))
    model.double()
    with torch.no_grad():  # a target that differs from the online encoder
        for parameter in model.target_backbone.parameters():
            parameter.add_(0.1)
    slow = copy.deepcopy(model)
    views = [view.double() for view in random_views()]
    loss = model.loss(views)['loss']
    loss.backward()
    expected = authors_loss(slow, views, symmetric, pairing)
    expected.backward()
    torch.testing.assert_close(loss, expected)
    expected_gradients = gradients(slow)
    assert gradients(model).keys() == expected_gradients.keys()
    for name, gradient in gradients(model).items():
        torch.testing.assert_close(gradient, expected_gradients[name], msg=name)
    for (name, buffer), other in zip(model.named_buffers(), slow.buffers(), strict=True):
        torch.testing.assert_close(buffer, other, msg=name)


def test_one_pass_over_all_views_is_the_same_where_no_layer_sees_the_batch():
    together = tiny_semcl(batch_norm=False, batch_views='auto')
    apart = tiny_semcl(batch_norm=False, batch_views=False)
    calls = []
    together.backbone.register_forward_hook(lambda *_: calls.append('together'))
    apart.backbone.register_forward_hook(lambda *_: calls.append('apart'))
    views = random_views()
    losses = [model.loss(views)['loss'] for model in (together, apart)]
    assert calls == ['together'] + ['apart'] * 6
    torch.testing.assert_close(*losses)
    for loss in losses:
        loss.backward()
    for name, gradient in gradients(together).items():
        torch.testing.assert_close(gradient, gradients(apart)[name], msg=name)


def test_batch_norm_in_the_backbone_forbids_one_pass():
    model = tiny_semcl(batch_norm=True)
    calls = []
    model.backbone.register_forward_hook(lambda *_: calls.append(1))
    right = model.loss(random_views())['loss']
    assert len(calls) == 6
    wrong = tiny_semcl(batch_norm=True, batch_views=True).loss(random_views())['loss']
    assert not torch.isclose(right, wrong, rtol=1e-3)


def test_batch_statistics_are_found_where_they_are_used():
    backbone = tiny_semcl(batch_norm=True).backbone
    assert has_batch_statistics(backbone)
    assert not has_batch_statistics(backbone.eval())
    assert not has_batch_statistics(tiny_semcl(batch_norm=False).backbone)
    assert not has_batch_statistics(torch.nn.InstanceNorm2d(3, track_running_stats=True))
    assert has_batch_statistics(torch.nn.BatchNorm2d(3, track_running_stats=False).eval())


def test_swin_takes_one_pass_with_the_loss_of_six():
    from mmpretrain.models import SwinTransformer

    from semcl_mm.models import MLPHead

    torch.manual_seed(0)
    arch = dict(embed_dims=8, depths=[1, 1], num_heads=[1, 2])
    swin = SwinTransformer(
        arch, img_size=32, patch_size=4, window_size=4, drop_path_rate=0.0, out_indices=(1,)
    )
    model = tiny_semcl(backbone=swin, projector=MLPHead(16, 32, 6, num_layers=3))
    apart = copy.deepcopy(model)
    apart.batch_views = False
    calls = []
    model.backbone.register_forward_hook(lambda *_: calls.append(1))
    views = random_views(size=32)
    loss = model.loss(views)['loss']
    assert len(calls) == 1
    torch.testing.assert_close(loss, apart.loss(views)['loss'])
    loss.backward()
    unused = [n for n, p in model.named_parameters() if p.requires_grad and p.grad is None]
    assert unused == []


def test_a_constant_offset_between_the_roles_does_not_reach_the_keys():
    model = tiny_semcl(batch_norm=False)
    keys = []
    model.target_projector.register_forward_hook(lambda _, __, output: keys.append(output))
    views = random_views()
    for view in views:
        view[:, 1] += 3
    model.loss(views)
    assert len(keys) == 6
    for key in keys:  # every view of every role is centred on its own
        torch.testing.assert_close(key.mean(dim=0), torch.zeros(6), atol=1e-5, rtol=0)


def test_the_loss_of_equal_logits_is_six_log_four():
    model = tiny_semcl()
    model.predictor = torch.nn.Module()
    model.predictor.forward = lambda x: torch.ones_like(x)
    model.target_projector = torch.nn.Module()
    model.target_projector.forward = lambda x: torch.ones(len(x[0]), 6)
    loss = model.loss(random_views())
    torch.testing.assert_close(loss['loss'], torch.tensor(6 * math.log(4)))
    assert loss['feature_std'] == 0
    torch.testing.assert_close(loss['positive_similarity'], torch.tensor(1.0))


def test_only_the_online_encoder_gets_gradients():
    model = tiny_semcl()
    model.loss(random_views())['loss'].backward()
    for name, parameter in model.named_parameters():
        online = not name.startswith('target_')
        assert (parameter.grad is not None) == online == parameter.requires_grad, name


@pytest.mark.parametrize('batch_norm', [True, False])
def test_batch_size_one_trains(batch_norm):
    model = tiny_semcl(batch_norm)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.01)
    losses = []
    for step in range(40):
        losses.append(model.loss(random_views(batch=1, seed=step % 2))['loss'])
        assert losses[-1].isfinite()
        optimizer.zero_grad()
        losses[-1].backward()
        optimizer.step()
        assert all(p.grad.isfinite().all() for p in model.backbone.parameters())
    assert losses[-1] < 0.8 * losses[0]


def test_state_dict_has_the_published_prefixes():
    prefixes = {key.split('.')[0] for key in tiny_semcl().state_dict()}
    assert prefixes == {
        'backbone',
        'projector',
        'predictor',
        'target_backbone',
        'target_projector',
    }


def test_views_without_the_object_are_counted():
    model = tiny_semcl()
    samples = [DataSample() for _ in range(4)]
    fractions_of = [(0.5, 0, 0), (1, 1, 1), (0, 1, 1), (1, 1, 1)]
    for sample, fractions in zip(samples, fractions_of, strict=True):
        sample.set_field(torch.tensor(fractions, dtype=torch.float32), 'anchor_fraction')
    rate = model.loss(random_views(), samples)['empty_view_rate']
    torch.testing.assert_close(rate, torch.tensor(3 / 12))
    assert 'empty_view_rate' not in model.loss(random_views())


def test_a_view_without_both_roles_is_an_error():
    with pytest.raises(ValueError, match=r'\(B, 2, 3, H, W\).*\(4, 3, 8, 8\)'):
        tiny_semcl().loss([view[:, 0] for view in random_views()])


def test_unpaired_loss_is_moco_v3_within_each_role():
    model = tiny_semcl(loss=UnpairedInfoNCELoss())
    slow = copy.deepcopy(model)
    views = random_views()
    queries, keys = embeddings_one_by_one(slow, views)
    expected = 0
    for role in (0, 1):
        for t, j in ((0, 1), (1, 2), (2, 0)):
            logits = queries[t][role] @ keys[j][role].T / 0.2
            expected = expected + 2 * 0.2 * F.cross_entropy(logits, torch.arange(4))
    torch.testing.assert_close(model.loss(views)['loss'], expected)
