"""Geometry and CPU photometry of views, against Pillow and torchvision."""

import numpy as np
import pytest
from PIL import Image, ImageFilter, ImageOps
from torchvision.transforms import functional as pil

from semcl_mm.datasets.crops import Crop, draw_crop
from semcl_mm.datasets.pair_views import anchor_fraction, cut_roles
from semcl_mm.datasets.photometry import (
    HUE,
    IDENTITY,
    ORDER,
    ORDERS,
    SIGMA,
    THRESHOLD,
    apply_photometry,
    draw_photometry,
)
from semcl_mm.datasets.view_recipe import SEMCL_VIEWS, ViewRecipe

MILD, BLURRED, SOLARIZED = ViewRecipe.parse(SEMCL_VIEWS)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def photo(rng):
    """A smooth colourful picture with texture, (90, 130, 3)."""
    coarse = Image.fromarray(rng.integers(0, 256, (7, 10, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((130, 90), Image.BICUBIC)).astype(int)
    return np.clip(smooth + rng.integers(-12, 13, smooth.shape), 0, 255).astype(np.uint8)


@pytest.fixture
def mask():
    """An ellipse in the left half."""
    rows, columns = np.mgrid[:90, :130]
    return ((rows - 50) / 30) ** 2 + ((columns - 45) / 25) ** 2 < 1


def exported(photo, mask):
    """The authors' pair: both roles masked at full resolution."""
    return [Image.fromarray(photo * part[..., None]) for part in (mask, ~mask)]


def difference(left, right):
    return np.abs(np.asarray(left).astype(int) - np.asarray(right).astype(int))


def test_a_random_resized_crop_equals_pillow_on_the_exported_pair(photo, mask, rng):
    for _ in range(20):
        crop = draw_crop(BLURRED, 90, 130, 48, rng)
        roles = cut_roles(photo, mask, crop, 48)
        for role, image in zip(roles, exported(photo, mask), strict=True):
            expected = pil.resized_crop(image, *crop[:4], [48, 48])
            expected = pil.hflip(expected) if crop.flip else expected
            assert difference(role, expected).max() <= 1


def test_the_mild_view_equals_resize_then_crop_on_the_exported_pair(photo, mask, rng):
    for _ in range(20):
        crop = draw_crop(MILD, 90, 130, 48, rng)
        roles = cut_roles(photo, mask, crop, 48)
        for role, image in zip(roles, exported(photo, mask), strict=True):
            expected = pil.crop(pil.resize(image, 48), *crop.window, 48, 48)
            expected = pil.hflip(expected) if crop.flip else expected
            assert difference(role, expected).max() <= 1


def test_the_short_side_is_resized_to_the_view_as_torchvision_does():
    rng = np.random.default_rng(0)
    for height, width in [(375, 500), (500, 333), (224, 224), (1024, 2048), (100, 99)]:
        crop = draw_crop(MILD, height, width, 224, rng)
        expected = pil.resize(Image.new('RGB', (width, height)), 224).size
        assert crop.resized == expected[::-1]


def test_roles_add_up_to_the_view_of_the_whole_image(photo, mask, rng):
    crop = draw_crop(BLURRED, 90, 130, 48, rng)
    anchor, environment = cut_roles(photo, mask, crop, 48).astype(int)
    whole = cut_roles(photo, np.ones_like(mask), crop, 48)[0].astype(int)
    assert np.abs(anchor + environment - whole).max() <= 1


def test_a_fill_is_seen_outside_of_each_role_only(photo, mask):
    crop = Crop(0, 0, 90, 130, (90, 130), (0, 0), False)
    anchor, environment = cut_roles(photo, mask, crop, 90, (124, 116, 104))
    window = mask[:, :90]
    assert (anchor[~window] == (124, 116, 104)).all()
    assert (environment[window] == (124, 116, 104)).all()
    assert (anchor[window] == photo[:, :90][window]).all()
    assert (environment[~window] == photo[:, :90][~window]).all()


def test_the_anchor_fraction_is_the_share_of_anchor_pixels_in_the_crop(mask):
    crop = Crop(20, 30, 40, 40, (48, 48), (0, 0), False)
    assert anchor_fraction(mask, crop, 48) == pytest.approx(mask[20:60, 30:70].mean())


def test_a_view_is_called_empty_exactly_when_no_anchor_pixel_can_show(photo, mask):
    rng = np.random.default_rng(1)
    white = np.full_like(photo, 255)
    seen_empty = 0
    for recipe in (MILD, BLURRED) * 100:
        crop = draw_crop(recipe, 90, 130, 48, rng)
        empty = anchor_fraction(mask, crop, 48) == 0
        seen_empty += empty
        if empty:
            assert cut_roles(white, mask, crop, 48)[0].max() == 0
    assert seen_empty > 5


def test_crops_have_the_distribution_of_random_resized_crop():
    rng = np.random.default_rng(0)
    crops = [draw_crop(BLURRED, 375, 500, 224, rng) for _ in range(4000)]
    share = np.array([crop.height * crop.width for crop in crops]) / (375 * 500)
    ratio = np.log([crop.width / crop.height for crop in crops])
    reference = np.random.default_rng(1)
    expected = []
    while len(expected) < 4000:  # the same by rejection, written down independently
        area, log_ratio = (
            reference.uniform(0.08, 1),
            reference.uniform(np.log(3 / 4), np.log(4 / 3)),
        )
        width, height = np.sqrt(area * 375 * 500 * np.exp([log_ratio, -log_ratio]))
        if width <= 500 and height <= 375:
            expected.append((area, log_ratio))
    expected = np.array(expected)
    quantiles = np.linspace(0.05, 0.95, 10)
    assert np.quantile(share, quantiles) == pytest.approx(
        np.quantile(expected[:, 0], quantiles), abs=0.03
    )
    assert np.quantile(ratio, quantiles) == pytest.approx(
        np.quantile(expected[:, 1], quantiles), abs=0.03
    )
    assert np.mean([crop.flip for crop in crops]) == pytest.approx(0.5, abs=0.03)


def test_an_image_too_long_for_any_box_gives_its_central_one():
    crop = draw_crop(BLURRED, 10, 1000, 48, np.random.default_rng(0))
    assert crop[:4] == (0, 493, 10, 13)


def single(operation, value):
    vector = IDENTITY.copy()
    vector[operation] = value
    return vector


@pytest.mark.parametrize('factor', [0.6, 0.83, 1.17, 1.4])
@pytest.mark.parametrize(
    ('operation', 'oracle'),
    [(0, pil.adjust_brightness), (1, pil.adjust_contrast), (2, pil.adjust_saturation)],
)
def test_blends_equal_pillow_within_a_level(photo, operation, oracle, factor):
    expected = oracle(Image.fromarray(photo), factor)
    assert difference(apply_photometry(photo, single(operation, factor)), expected).max() <= 1


@pytest.mark.parametrize('turns', [-0.1, -0.04, 0.03, 0.1])
def test_the_hue_shift_equals_pillow_within_two_steps_of_its_8_bit_hue(photo, turns):
    # A step is 6 levels of a fully saturated colour.
    expected = pil.adjust_hue(Image.fromarray(photo), turns)
    found = difference(apply_photometry(photo, single(HUE, turns)), expected)
    assert found.mean() < 1.5
    assert found.max() <= 2 * 6 + 1


@pytest.mark.parametrize('sigma', [0.1, 0.5, 1.0, 2.0])
def test_the_blur_is_close_to_pillows_box_approximation(photo, sigma):
    expected = Image.fromarray(photo).filter(ImageFilter.GaussianBlur(sigma))
    found = difference(apply_photometry(photo, single(SIGMA, sigma)), expected)
    assert found.mean() < 0.7
    assert found.max() <= 4


def test_solarisation_equals_pillow(photo):
    expected = ImageOps.solarize(Image.fromarray(photo), 128)
    assert difference(apply_photometry(photo, single(THRESHOLD, 128)), expected).max() == 0


def test_gray_equals_pillow_within_a_level(photo):
    expected = pil.to_grayscale(Image.fromarray(photo), 3)
    assert difference(apply_photometry(photo, single(5, 1)), expected).max() <= 1


def test_jitter_follows_its_order(photo):
    oracles = [pil.adjust_brightness, pil.adjust_contrast, pil.adjust_saturation, pil.adjust_hue]
    for number, order in enumerate(ORDERS):
        vector = IDENTITY.copy()
        vector[:4] = 1.35, 0.65, 1.2, 0.08
        vector[ORDER] = number
        expected = Image.fromarray(photo)
        for operation in order:
            expected = oracles[operation](expected, float(vector[operation]))
        assert difference(apply_photometry(photo, vector), expected).mean() < 2


def test_the_identity_returns_the_image_itself(photo):
    assert apply_photometry(photo, IDENTITY) is photo


def test_roles_share_decisions_and_draw_strengths_apart(rng):
    draws = np.stack([draw_photometry(SOLARIZED, 2, rng) for _ in range(3000)])
    jittered = (draws[:, :, :4] != IDENTITY[:4]).any(axis=2)
    blurred, solarized, gray = draws[..., 6] > 0, draws[..., 7] < 256, draws[..., 5] > 0
    for decision, probability in [(jittered, 0.8), (blurred, 0.1), (solarized, 0.2), (gray, 0.2)]:
        assert (decision[:, 0] == decision[:, 1]).all()
        assert decision.mean() == pytest.approx(probability, abs=0.03)
    both = draws[jittered[:, 0]]
    assert (both[:, 0, :4] != both[:, 1, :4]).all()
    assert abs(np.corrcoef(both[:, 0, 0], both[:, 1, 0])[0, 1]) < 0.07
    assert np.mean(both[:, 0, ORDER] == both[:, 1, ORDER]) == pytest.approx(1 / 24, abs=0.02)
    low, high = both[..., :4].min(axis=(0, 1)), both[..., :4].max(axis=(0, 1))
    assert low == pytest.approx([0.6, 0.6, 0.8, -0.1], abs=0.01)
    assert high == pytest.approx([1.4, 1.4, 1.2, 0.1], abs=0.01)


def test_the_official_views_are_one_plain_one_always_blurred_one_sometimes_solarized(rng):
    assert (draw_photometry(MILD, 2, rng) == IDENTITY).all()
    sigmas = np.stack([draw_photometry(BLURRED, 2, rng) for _ in range(500)])[..., SIGMA]
    assert sigmas.min() >= 0.1
    assert sigmas.max() <= 2
    assert len(np.unique(sigmas)) == 1000
    assert (BLURRED.solarize, SOLARIZED.solarize, SOLARIZED.blur) == (0, 0.2, 0.1)


@pytest.mark.parametrize(
    ('view', 'message'),
    [
        ({'crop': 'center'}, "crop='center'"),
        ({'colour': 0.4}, r"unknown keys \['colour'\]"),
        ({'gray': 1.2}, 'gray=1.2'),
        ({'hue': 0.6}, 'hue=0.6'),
        ({'scale': (0.5, 0.2)}, 'low <= high'),
        ({'scale': (0.5, 2)}, 'must not exceed 1'),
    ],
)
def test_a_bad_recipe_names_its_key(view, message):
    with pytest.raises(ValueError, match=message):
        ViewRecipe.parse([view])
