"""From uint8 pairs to normalised tensors: device photometry against the CPU's, and agreement."""

import cv2
import numpy as np
import pytest
import torch
from mmpretrain.structures import DataSample

from semcl_mm.datasets.photometry import IDENTITY, ORDERS, draw_photometry
from semcl_mm.datasets.photometry import apply_photometry as apply_on_cpu
from semcl_mm.datasets.view_recipe import SEMCL_VIEWS, ViewRecipe
from semcl_mm.models.pair_preprocessor import PairDataPreprocessor
from semcl_mm.models.photometry import PhotometryPlan, apply_photometry

PLAIN = dict(mean=(0, 0, 0), std=(1, 1, 1))


def photos(count, seed=0, size=40):
    """Smooth colourful pictures with texture, uint8 (count, size, size, 3)."""
    rng = np.random.default_rng(seed)
    pictures = []
    for _ in range(count):
        coarse = rng.integers(0, 256, (5, 5, 3), dtype=np.uint8)
        smooth = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC).astype(int)
        pictures.append(smooth + rng.integers(-9, 10, smooth.shape))
    return np.clip(pictures, 0, 255).astype(np.uint8)


def on_device(images, parameters):
    """The device path on (N, H, W, 3) uint8, back as that."""
    parameters = torch.as_tensor(np.asarray(parameters))
    tensors = torch.from_numpy(images).permute(0, 3, 1, 2).float()
    result = apply_photometry(tensors, parameters, PhotometryPlan.of(parameters))
    return result.permute(0, 2, 3, 1).numpy()


def on_cpu(images, parameters):
    return np.stack([apply_on_cpu(*pair) for pair in zip(images, parameters, strict=True)])


def vectors(**columns):
    """Parameter vectors, identity but for the named columns (lists of equal length)."""
    names = ['brightness', 'contrast', 'saturation', 'hue', 'order', 'gray', 'sigma', 'threshold']
    result = np.tile(IDENTITY, (len(next(iter(columns.values()))), 1))
    for name, values in columns.items():
        result[:, names.index(name)] = values
    return result


@pytest.mark.parametrize(
    ('column', 'values', 'mean', 'most'),
    [
        ('brightness', [0.6, 0.9, 1.1, 1.4], 0.1, 1),
        ('contrast', [0.6, 0.9, 1.1, 1.4], 0.1, 1),
        ('saturation', [0.8, 0.9, 1.1, 1.2], 0.3, 1),
        ('hue', [-0.1, -0.04, 0.05, 0.1], 1.5, 13),
        ('gray', [1, 0, 1, 1], 0.1, 1),
        ('sigma', [0.0, 0.4, 1.1, 2.0], 0.1, 1),
        ('threshold', [128, 256, 100, 255], 0, 0),
    ],
)
def test_each_operation_equals_the_cpus(column, values, mean, most):
    images, parameters = photos(4), vectors(**{column: values})
    found = np.abs(on_device(images, parameters) - on_cpu(images, parameters))
    assert found.mean() <= mean
    assert found.max() <= most


def test_every_order_of_jitter_equals_the_cpus_within_the_8_bit_hue():
    count = len(ORDERS)
    rng = np.random.default_rng(1)
    parameters = vectors(
        brightness=rng.uniform(0.6, 1.4, count),
        contrast=rng.uniform(0.6, 1.4, count),
        saturation=rng.uniform(0.8, 1.2, count),
        hue=rng.uniform(-0.1, 0.1, count),
        order=range(count),
    )
    images = photos(count)
    found = np.abs(on_device(images, parameters) - on_cpu(images, parameters))
    assert found.mean(axis=(1, 2, 3)).max() < 2


def test_the_order_of_jitter_matters_so_the_orders_are_told_apart():
    images = np.repeat(photos(1), len(ORDERS), axis=0)
    shared = dict(brightness=1.4, contrast=0.6, saturation=1.2, hue=0.1)
    parameters = vectors(
        order=range(len(ORDERS)), **{name: [v] * len(ORDERS) for name, v in shared.items()}
    )
    device, cpu = on_device(images, parameters), on_cpu(images, parameters)
    distance = np.abs(device[:, None] - cpu[None].astype(float)).mean(axis=(2, 3, 4))
    # No other order's result is closer than the own one, up to orders that hardly differ.
    assert (np.diag(distance) <= distance.min(axis=1) + 0.3).all()
    assert distance.max() > 10


@pytest.mark.parametrize('view', range(3))
def test_the_official_views_come_out_as_on_the_cpu(view):
    recipe = ViewRecipe.parse(SEMCL_VIEWS)[view]
    rng = np.random.default_rng(view)
    parameters = np.concatenate([draw_photometry(recipe, 2, rng) for _ in range(40)])
    images = photos(80)
    device, cpu = on_device(images, parameters), on_cpu(images, parameters)
    difference = np.abs(device - cpu)
    # Solarisation turns a difference of a level around the threshold into one of many.
    plain = parameters[:, 7] == 256
    assert difference[plain].mean(axis=(1, 2, 3)).max() < 2.5
    assert np.median(difference) <= 1
    assert device.mean() == pytest.approx(cpu.mean(), abs=0.3)
    assert device.std() == pytest.approx(cpu.std(), abs=0.3)


def test_the_identity_leaves_every_pixel_among_others_that_change():
    images = photos(3)
    parameters = vectors(
        brightness=[1, 1.3, 1],
        hue=[0, 0.1, 0.1],
        sigma=[0, 2, 0],
        gray=[0, 1, 0],
        threshold=[256, 128, 256],
    )
    assert (on_device(images, parameters)[0] == images[0]).all()


def test_a_blur_is_not_rounded_to_bfloat16_under_autocast():
    images, parameters = photos(2), torch.from_numpy(vectors(sigma=[1.0, 2.0]))
    tensors = torch.from_numpy(images).permute(0, 3, 1, 2).float()
    plan = PhotometryPlan.of(parameters)
    expected = apply_photometry(tensors, parameters, plan)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert torch.equal(apply_photometry(tensors, parameters, plan), expected)


def test_the_plan_holds_only_what_some_image_needs():
    assert PhotometryPlan.of(torch.from_numpy(vectors(hue=[0.0]))) == PhotometryPlan(
        False, False, False, 0, False
    )
    mixed = torch.from_numpy(vectors(sigma=[0.0, 1.7], threshold=[256, 128]))
    assert PhotometryPlan.of(mixed) == PhotometryPlan(False, False, False, 6, True)


def batch(views=3, count=4, photometry=True, size=24):
    generator = torch.Generator().manual_seed(0)
    shape = (count, 2, 3, size, size)
    samples = []
    for number in range(count):
        sample = DataSample()
        sample.set_field(np.array([0.5, 0.0, number / 10], dtype=np.float32), 'anchor_fraction')
        samples.append(sample)
    data = dict(
        inputs=[
            torch.randint(256, shape, generator=generator, dtype=torch.uint8) for _ in range(views)
        ],
        data_samples=samples,
    )
    if photometry:
        rng = np.random.default_rng(0)
        recipes = ViewRecipe.parse(SEMCL_VIEWS)
        draws = [[draw_photometry(recipe, 2, rng) for recipe in recipes] for _ in range(count)]
        data['photometry'] = torch.from_numpy(np.array(draws))
    return data


def test_a_batch_without_photometry_is_normalised_only():
    data = batch(photometry=False)
    out = PairDataPreprocessor(mean=(10, 20, 30), std=(2, 4, 5))(data, training=True)
    expected = (data['inputs'][1][2, 1, 2].double() - 30) / 5
    assert out['inputs'][1].dtype == torch.float32
    assert torch.allclose(out['inputs'][1][2, 1, 2].double(), expected)


def test_each_role_of_each_sample_gets_its_own_parameters():
    data = batch()
    views = PairDataPreprocessor(photometry=True, **PLAIN)(data)['inputs']
    for view in range(3):
        for sample, role in [(0, 0), (0, 1), (3, 1)]:
            image = data['inputs'][view][sample, role].permute(1, 2, 0).numpy()
            alone = on_device(image[None], data['photometry'][sample, view, role][None])[0]
            assert torch.allclose(
                views[view][sample, role].permute(1, 2, 0), torch.from_numpy(alone), atol=1
            )


def test_the_same_batch_gives_the_same_pixels_whatever_the_random_state():
    torch.manual_seed(0)
    first = PairDataPreprocessor(photometry=True)(batch())['inputs']
    torch.manual_seed(1)
    again = PairDataPreprocessor(photometry=True)(batch())['inputs']
    assert all(map(torch.equal, first, again))


def test_the_loaders_tensors_are_not_written_to():
    data = batch()
    before = [view.clone() for view in data['inputs']]
    PairDataPreprocessor(photometry=True)(data)
    assert all(map(torch.equal, data['inputs'], before))


def test_anchor_fractions_come_out_as_cpu_tensors():
    samples = PairDataPreprocessor(photometry=True)(batch())['data_samples']
    fractions = torch.stack([sample.anchor_fraction for sample in samples])
    assert fractions.shape == (4, 3)
    assert fractions.device.type == 'cpu'
    assert (fractions == 0).float().mean() == pytest.approx(5 / 12)


@pytest.mark.parametrize('expected', [True, False])
def test_a_data_set_that_disagrees_about_the_photometry_is_refused(expected):
    preprocessor = PairDataPreprocessor(photometry=expected)
    with pytest.raises(ValueError, match="photometry='device' in the data set"):
        preprocessor(batch(photometry=not expected))


def test_parameters_for_another_number_of_views_are_refused():
    data = batch()
    data['inputs'] = data['inputs'][:2]
    with pytest.raises(ValueError, match='do not fit 2 views'):
        PairDataPreprocessor(photometry=True)(data)


def test_normalisation_is_not_part_of_a_checkpoint():
    assert PairDataPreprocessor().state_dict() == {}


@pytest.mark.parametrize('options', [{'std': (1, 0, 1)}, {'mean': (1, 2)}])
def test_bad_statistics_are_refused(options):
    with pytest.raises(ValueError, match='three numbers'):
        PairDataPreprocessor(**options)


def test_a_raw_environment_differs_in_its_scale_alone():
    """Role 0 is normalised either way; role 1 becomes x / 255, the authors' former behaviour."""
    data = batch(photometry=False)
    normalised = PairDataPreprocessor()(data)['inputs']
    raw = PairDataPreprocessor(normalise_environment=False)(data)['inputs']
    for view, both, anchor_only in zip(data['inputs'], normalised, raw, strict=True):
        assert torch.equal(both[:, 0], anchor_only[:, 0])
        torch.testing.assert_close(anchor_only[:, 1], view[:, 1].float() / 255)
