"""Rolls by Eq. 7 of CACL, and that features roll with their image."""

import torch
from torch import nn

from semcl_mm.models.pixel_shuffle import draw_rolls, roll


def numbers(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_each_map_is_rolled_by_its_own_distance_as_equation_7_says():
    maps, rolls = numbers(3, 2, 4, 5), torch.tensor([[0, 0], [1, 3], [-2, 7]])
    rolled = roll(maps, rolls)
    for n, (a, b) in enumerate(rolls.tolist()):
        for i in range(4):
            for j in range(5):
                assert torch.equal(rolled[n, :, i, j], maps[n, :, (i + a) % 4, (j + b) % 5])
        assert torch.equal(rolled[n], maps[n].roll((-a, -b), dims=(1, 2)))


def test_rolling_back_is_exact_and_so_is_the_gradient():
    maps, rolls = numbers(4, 3, 6, 7).requires_grad_(), draw_rolls(4, 6, 7, torch.device('cpu'))
    assert torch.equal(roll(roll(maps, rolls), -rolls), maps)
    weights = numbers(4, 3, 6, 7)
    (grad,) = torch.autograd.grad((roll(maps, rolls) * weights).sum(), maps)
    assert torch.equal(grad, roll(weights, -rolls))


def test_features_of_stride_8_come_back_to_their_cells_unless_padding_marks_the_border():
    """Circular padding has no border: rolling by multiples of 8 and back changes nothing. Zero
    padding has one, and rolling changes what it tells."""
    torch.manual_seed(0)

    def network(padding):
        layers = [nn.Conv2d(c, 4, 3, stride=2, padding=1, padding_mode=padding) for c in (3, 4, 4)]
        return nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2]).double()

    images = numbers(5, 3, 32, 48)
    rolls = draw_rolls(5, 4, 6, images.device)
    assert rolls.unique(dim=0).shape[0] > 1
    for padding, same in (('circular', True), ('zeros', False)):
        run = network(padding)
        plain, rolled = run(images), roll(run(roll(images, 8 * rolls)), -rolls)
        assert plain.shape[-2:] == (4, 6)
        assert torch.allclose(plain, rolled, rtol=0, atol=1e-12) is same
    assert not torch.allclose(roll(run(roll(images, 4 * rolls)), -rolls), plain)


def test_rolls_are_uniform_and_independent_between_images():
    torch.manual_seed(0)
    rolls = draw_rolls(6000, 2, 3, torch.device('cpu'))
    counts = torch.bincount(rolls[:, 0] * 3 + rolls[:, 1], minlength=6)
    assert (counts - 1000).abs().max() < 150  # five standard deviations
    together = torch.bincount(rolls[:-1, 1] * 3 + rolls[1:, 1], minlength=9)
    assert (together - 5999 / 9).abs().max() < 130
