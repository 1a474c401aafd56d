"""The local-to-global loss against loops over Eq. 1 and 2."""

import math

import loss_oracles as oracle
import pytest
import torch
from loss_oracles import compare, vectors

from semcl_mm.analysis.measuring import PeakBytes
from semcl_mm.losses import LocalToGlobalInfoNCELoss, local_to_global_info_nce


@pytest.mark.parametrize('temperature', [0.1, 0.5])
def test_loss_equals_the_loop_over_patches_of_other_images(temperature):
    """Eq. 2: mean over patches i of L_nce(z, z+_i), negatives from the other images only."""
    compare(
        lambda z, p: local_to_global_info_nce(z, p, temperature),
        lambda z, p: oracle.local_to_global_info_nce(z, p, temperature),
        [vectors(4, 5), vectors(4, 3, 5, seed=1)],
    )


def test_equal_embeddings_give_one_positive_among_the_other_images_patches():
    loss = local_to_global_info_nce(torch.ones(4, 8), torch.ones(4, 5, 8))
    assert loss.item() == pytest.approx(math.log(1 + 3 * 5), abs=1e-5)


def test_other_patches_of_the_same_image_are_neither_positives_nor_negatives_of_each_other():
    z, patches = vectors(3, 5), vectors(3, 4, 5, seed=1)
    bank = patches.clone()
    losses = []
    for i in range(4):
        only = bank.clone()
        only[0] = patches[0, i]  # image 0 shows this patch alone
        losses.append(local_to_global_info_nce(z[:1], only, image_index=torch.tensor([0])))
    whole = local_to_global_info_nce(z[:1], patches, image_index=torch.tensor([0]))
    torch.testing.assert_close(sum(losses) / 4, whole)


def test_a_share_of_the_queries_against_gathered_patches_is_that_share_of_the_loss():
    z, patches = vectors(4, 5), vectors(4, 3, 5, seed=1)
    halves = [
        local_to_global_info_nce(z[part], patches, image_index=part)
        for part in (torch.tensor([0, 1]), torch.tensor([2, 3]))
    ]
    torch.testing.assert_close(sum(halves) / 2, local_to_global_info_nce(z, patches))


def test_order_of_images_and_patches_does_not_matter():
    z, patches = vectors(4, 5), vectors(4, 3, 5, seed=1)
    order = torch.tensor([2, 0, 3, 1])
    torch.testing.assert_close(
        local_to_global_info_nce(z[order], patches[order].flip(1)),
        local_to_global_info_nce(z, patches),
    )


def test_a_single_image_or_none_gives_zero_and_keeps_its_graph():
    z = vectors(1, 4).requires_grad_()
    for query, patches in ((z, vectors(1, 3, 4)), (z[:0], vectors(0, 3, 4)), (z, vectors(1, 0, 4))):
        loss = local_to_global_info_nce(query, patches)
        assert loss.item() == 0
        assert torch.autograd.grad(loss, z)[0].eq(0).all()


def test_gradcheck():
    inputs = [vectors(3, 4).requires_grad_(), vectors(3, 2, 4, seed=1).requires_grad_()]
    assert torch.autograd.gradcheck(local_to_global_info_nce, inputs)


@pytest.mark.parametrize('lowered', [torch.bfloat16, torch.float16])
def test_autocast_changes_nothing(lowered):
    z, patches = vectors(4, 8).to(lowered).requires_grad_(), vectors(4, 3, 8, seed=1).to(lowered)
    with torch.autocast('cpu', dtype=lowered):
        loss = local_to_global_info_nce(z, patches, 0.01)
    assert torch.equal(loss, local_to_global_info_nce(z.float(), patches.float(), 0.01))
    assert torch.autograd.grad(loss, z)[0].isfinite().all()


def test_memory_stays_a_few_blocks_where_the_similarities_are_large():
    z = vectors(64, 16, dtype=torch.float32).requires_grad_()
    patches = vectors(512, 64, 16, seed=1, dtype=torch.float32)
    with PeakBytes() as memory:
        local_to_global_info_nce(z, patches, image_index=torch.arange(64)).backward()
    assert memory.largest < 6 * 2**20  # 64 x 32768 similarities are 8 MiB


def test_the_module_is_the_weighted_function():
    z, patches = vectors(3, 5), vectors(3, 4, 5, seed=1)
    torch.testing.assert_close(
        LocalToGlobalInfoNCELoss(0.2, 0.5)(z, patches),
        0.5 * local_to_global_info_nce(z, patches, 0.2),
    )


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ((torch.ones(3, 4), torch.ones(2, 5, 4)), r'local_keys must be \(B, P, C\) with B=3, C=4'),
        ((torch.ones(3, 4), torch.ones(3, 4)), r'got \(3, 4\)'),
        ((torch.ones(3, 4), torch.ones(3, 5, 4), 0), 'temperature must be positive, got 0'),
        (
            (torch.ones(3, 4), torch.ones(6, 5, 4), 0.1, torch.zeros(2)),
            r'image_index must be \(B\)',
        ),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        local_to_global_info_nce(*arguments)
