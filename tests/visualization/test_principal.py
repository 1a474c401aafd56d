"""Features as colours: the projection against scikit-learn's, and what shares one."""

import numpy as np
import pytest
import torch
from torch import nn

from semcl_mm.visualization import ShownBackbone, draw_principal, fit_colours

MEAN, STD = torch.zeros(3, 1, 1), torch.full((3, 1, 1), 255.0)


def test_the_axes_and_what_they_explain_are_those_of_principal_component_analysis():
    from sklearn.decomposition import PCA

    scale = torch.tensor([5.0, 3.0, 2.0, 1.0, 0.5])
    cells = torch.randn(200, 5, generator=torch.Generator().manual_seed(0)) * scale + 7
    fitted = fit_colours(cells)
    slow = PCA(3).fit(cells.double().numpy())
    alike = np.abs(slow.components_ @ fitted.axes.numpy())
    np.testing.assert_allclose(alike, np.eye(3), atol=1e-8)
    assert fitted.explained == pytest.approx(slow.explained_variance_ratio_.sum())
    colours = fitted(cells)
    assert ((colours > 0) & (colours < 1)).float().mean() == pytest.approx(0.98, abs=0.01)
    assert torch.equal(fit_colours(cells.flip(0)).axes.sign(), fitted.axes.sign())


def test_too_few_channels_are_refused():
    with pytest.raises(ValueError, match=r'\(9, 2\)'):
        fit_colours(torch.randn(9, 2))


@pytest.fixture
def backbones():
    torch.manual_seed(0)
    modules = [nn.Conv2d(3, 8, 8, 8).requires_grad_(False) for _ in range(2)]
    return [ShownBackbone(name, m, MEAN, STD) for name, m in zip('ab', modules, strict=True)]


@pytest.fixture
def photos():
    one = torch.randint(256, (1, 3, 32, 32), generator=torch.Generator().manual_seed(1)).byte()
    return torch.cat([one, one, 255 - one])


@pytest.mark.parametrize('shared', ['checkpoint', 'photo', 'all'])
def test_equal_photos_have_equal_colours_and_backbones_their_own(backbones, photos, shared):
    axes = draw_principal([backbones[0], backbones[0], backbones[1]], photos, shared).axes
    drawn = [[np.asarray(axes[4 * row + column].images[0].get_array()) for column in (1, 2, 3)]
             for row in range(3)]  # fmt: skip
    assert drawn[0][0].shape == (4, 4, 3)
    for column in range(3):
        assert np.array_equal(drawn[0][column], drawn[1][column])
        assert not np.array_equal(drawn[0][column], drawn[2][column])
    assert np.array_equal(drawn[0][0], drawn[0][1])
    assert not np.array_equal(drawn[0][0], drawn[0][2])


def test_one_projection_of_different_widths_is_refused(backbones, photos):
    wide = backbones[1]._replace(module=nn.Conv2d(3, 9, 8, 8).requires_grad_(False))
    with pytest.raises(ValueError, match=r'\[8, 9\] channels'):
        draw_principal([backbones[0], wide], photos, 'all')
