"""The local-to-global model: its loss by loops over tokens, and over two processes."""

import multiprocessing
import sys
from pathlib import Path

import pytest
import torch
from mmengine.model import BaseDataPreprocessor
from mmpretrain.models import VisionTransformer
from torch import distributed, nn

from semcl_mm.losses import LocalToGlobalInfoNCELoss
from semcl_mm.models import LocalToGlobal, TokenMLP

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'losses'))
import loss_oracles as oracle

BATCH, PATCHES = 4, 4


def tiny_vit(**options):
    arch = dict(embed_dims=16, num_layers=2, num_heads=2, feedforward_channels=32)
    settings = dict(arch=arch, img_size=8, patch_size=4, out_indices=[1], out_type='raw')
    return VisionTransformer(**(settings | options))


def tiny_model(**options) -> LocalToGlobal:
    torch.manual_seed(0)
    model = LocalToGlobal(
        backbone=options.pop('backbone', None) or tiny_vit(),
        projector=TokenMLP(16, hidden_channels=24, out_channels=6),
        loss=LocalToGlobalInfoNCELoss(temperature=0.2),
        data_preprocessor=BaseDataPreprocessor(),
        **options,
    )
    model.init_weights()
    for parameter in model.parameters():  # biases and class token do not stay at zero
        nn.init.normal_(parameter, std=0.3)
    return model.double()


def two_views(batch: int = BATCH) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return list(torch.randn(2, batch, 3, 8, 8, generator=generator, dtype=torch.float64))


def tokens_one_image_at_a_time(model, view):
    """P(LN(ViT(x))) with nothing batched: which token is whose cannot be confused."""
    rows = [model.projector(model.backbone(image[None])[-1])[0] for image in view]
    assert rows[0].shape == (1 + PATCHES, 6)
    return torch.stack([row[0] for row in rows]), torch.stack([row[1:] for row in rows])


@pytest.mark.parametrize('symmetric', [False, True])
def test_loss_contrasts_class_tokens_with_the_patches_of_the_other_view(symmetric):
    model, views = tiny_model(symmetric=symmetric), two_views()
    (z, patches), (z_other, patches_other) = (tokens_one_image_at_a_time(model, v) for v in views)
    expected = oracle.local_to_global_info_nce(z, patches_other, 0.2)
    if symmetric:
        expected = (expected + oracle.local_to_global_info_nce(z_other, patches, 0.2)) / 2
    loss = model.loss(views)['loss']
    torch.testing.assert_close(loss, expected, rtol=0, atol=1e-10)
    for ours, theirs in zip(gradients(model, loss), gradients(model, expected), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-10)


def gradients(model, loss):
    """Of every parameter; raises where one took no part in the loss (DDP would stop)."""
    return torch.autograd.grad(loss, list(model.parameters()))


def test_the_final_norm_has_been_applied_to_class_token_and_patches():
    """With its scale at zero all tokens are equal: each positive is one of n + 1 equal logits."""
    model = tiny_model()
    nn.init.zeros_(model.backbone.ln1.weight)
    expected = torch.tensor((BATCH - 1) * PATCHES + 1.0, dtype=torch.float64).log()
    torch.testing.assert_close(model.loss(two_views())['loss'], expected)


def test_monitored_similarities_are_means_over_all_pairs():
    model, views = tiny_model(), two_views()
    z, _ = tokens_one_image_at_a_time(model, views[0])
    _, patches = tokens_one_image_at_a_time(model, views[1])
    cosines = torch.cosine_similarity(z[:, None, None], patches[None], dim=-1)  # (B, B, P)
    same = torch.eye(BATCH, dtype=torch.bool)
    logged = model.loss(views)
    for name, mask in (('positive_similarity', same), ('negative_similarity', ~same)):
        torch.testing.assert_close(logged[name], cosines[mask].mean().float())
        assert not logged[name].requires_grad


def test_bad_input_is_named():
    with pytest.raises(ValueError, match='two views of one shape'):
        tiny_model().loss(two_views()[:1])
    model = tiny_model(backbone=tiny_vit(out_type='featmap'))
    with pytest.raises(ValueError, match="out_type='raw'"):
        model.loss(two_views())


def half_a_batch(rank, path, gather, results):
    torch.set_num_threads(1)
    distributed.init_process_group('gloo', f'file://{path}', rank=rank, world_size=2)
    model = tiny_model(gather=gather)
    own = [view[rank * BATCH : (rank + 1) * BATCH] for view in two_views(2 * BATCH)]
    loss = model.loss(own)['loss']
    loss.backward()
    flat = torch.cat([parameter.grad.flatten() for parameter in model.parameters()])
    for value in (flat, loss := loss.detach()):  # what DDP does
        distributed.all_reduce(value)
    if rank == 0:
        results.put(((loss / 2).item(), (flat / 2).tolist()))
    distributed.destroy_process_group()


@pytest.mark.parametrize('gather', [True, False])
def test_two_processes_equal_one_with_the_union_exactly_if_negatives_are_gathered(tmp_path, gather):
    """Value and gradient. Without gathering each process contrasts within its own half."""
    context = multiprocessing.get_context('fork')
    results = context.Queue()
    processes = [
        context.Process(target=half_a_batch, args=(rank, tmp_path / 'store', gather, results))
        for rank in (0, 1)
    ]
    for process in processes:
        process.start()
    value, gradient = results.get(timeout=60)
    for process in processes:
        process.join(timeout=60)
    model, views = tiny_model(), two_views(2 * BATCH)
    if gather:
        loss = model.loss(views)['loss']
    else:
        halves = ([view[part] for view in views] for part in (slice(BATCH), slice(BATCH, None)))
        loss = sum(model.loss(half)['loss'] for half in halves) / 2
    expected = torch.cat([g.flatten() for g in gradients(model, loss)])
    assert value == pytest.approx(loss.item(), abs=1e-10)
    torch.testing.assert_close(
        torch.tensor(gradient, dtype=torch.float64), expected, rtol=0, atol=1e-10
    )
