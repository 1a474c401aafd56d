"""The geometry and the appearance of the toy scenes, against slow oracles and closed forms."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from semcl_mm.datasets.toy.camera import Intrinsics, Pose
from semcl_mm.datasets.toy.classes import OBJECT_CLASSES, SHAPES, TEXTURES
from semcl_mm.datasets.toy.render import OVERSAMPLING, render
from semcl_mm.datasets.toy.scene import sample_scene
from semcl_mm.datasets.toy.shapes import Outline, sample_outline
from semcl_mm.datasets.toy.textures import sample_texture

SIZE = (80, 60)


def scene_of(seed, **options):
    return sample_scene(np.random.default_rng(seed), SIZE, **options)


def test_neither_shape_nor_texture_alone_names_a_class():
    assert len({(c.shape, c.texture) for c in OBJECT_CLASSES}) == len(OBJECT_CLASSES) == 8
    assert Counter(c.shape for c in OBJECT_CLASSES) == dict.fromkeys(SHAPES, 2)
    assert Counter(c.texture for c in OBJECT_CLASSES) == dict.fromkeys(TEXTURES, 2)


def test_mean_colour_says_nothing_about_the_texture_family():
    rng = np.random.default_rng(0)
    x, y = np.meshgrid(*[np.linspace(-1, 1, 16, dtype=np.float32)] * 2)
    colours = np.array(
        [
            [
                sample_texture(family, rng, (1.3, 2.0), (0.35, 0.65))
                .colour(x, y, np.ones_like(x))
                .mean((1, 2))
                for family in TEXTURES
            ]
            for _ in range(300)
        ]
    )
    centres, held_out = colours[:150].mean(0), colours[150:]
    nearest = np.linalg.norm(held_out[:, :, None] - centres, axis=-1).argmin(-1)
    assert (nearest == np.arange(len(TEXTURES))).mean() < 0.34  # chance is 0.25


@pytest.mark.parametrize('seed', range(3))
def test_the_nearest_surface_owns_each_pixel(seed):
    scene = scene_of(seed)
    frame = render(scene, SIZE)
    layers = [render(replace(scene, objects=()), SIZE).depth]
    for source in frame.objects:
        alone = render(replace(scene, objects=(source,)), SIZE)
        layers.append(np.where(alone.instance == 1, alone.depth, np.inf))
    for row in range(SIZE[1]):
        for column in range(SIZE[0]):
            depths = [layer[row, column] for layer in layers]
            owner = min(range(len(depths)), key=depths.__getitem__)
            assert frame.instance[row, column] == owner
            assert frame.depth[row, column] == depths[owner]


def test_an_object_twice_as_far_is_half_as_large():
    scene = scene_of(1)
    source = replace(scene.objects[0], along=0.0, radius=0.5)
    level = replace(scene, pose=Pose(pitch=0.0, elevation=0.6))
    heights = []
    for distance in (1.5, 3.0):
        near = replace(level, objects=(replace(source, ahead=distance),))
        rows = np.flatnonzero((render(near, (480, 360)).instance == 1).any(1))
        heights.append(rows[-1] - rows[0] + 1)
    assert heights[0] == pytest.approx(2 * heights[1], abs=3)


def test_an_objects_depth_is_its_planes_less_its_relief():
    for seed in range(5):
        scene = scene_of(seed)
        frame = render(scene, SIZE, drop_hidden=True)
        for number, source in enumerate(frame.objects, 1):
            plane = scene.pose.to_camera(source.along, source.ahead)[2]
            depth = frame.depth[frame.instance == number]
            assert (depth <= plane + 1e-4).all()
            assert (depth >= plane - source.radius * source.outline.bevel - 1e-4).all()


def test_objects_stand_on_the_ground():
    scene = scene_of(2)
    for source in scene.objects:
        alone = replace(scene, objects=(replace(source, along=0.0, ahead=3.5),))
        alone = replace(alone, pose=replace(scene.pose, pitch=0.2))
        base = alone.pose.to_camera(0.0, 3.5)
        intrinsics = Intrinsics.of_size((160, 120))
        expected = intrinsics.cy + intrinsics.fy * base[1] / base[2]
        rows = np.flatnonzero((render(alone, (160, 120)).instance == 1).any(1))
        assert rows[-1] == pytest.approx(expected, abs=2)


def test_labels_are_the_pixel_centres_of_a_finer_rendering():
    scene = scene_of(4)
    coarse = render(scene, SIZE)
    fine = render(scene, tuple(n * OVERSAMPLING for n in SIZE))
    # The centres of the coarse pixels are every third of the fine ones, starting with the second.
    centres = fine.instance[1::OVERSAMPLING, 1::OVERSAMPLING]
    assert (coarse.instance == centres).mean() > 0.999


def test_contours_surround_the_objects_and_nothing_else():
    frame = render(scene_of(5), SIZE)
    padded = np.pad(frame.instance, 1, mode='edge')
    shifted = [padded[1 + i : 61 + i, 1 + j : 81 + j] for i in (-1, 0, 1) for j in (-1, 0, 1)]
    near_an_edge = np.any([s != frame.instance for s in shifted], axis=0)
    assert (near_an_edge | ~frame.contour).mean() > 0.998  # a spike can be thinner than a pixel
    assert 0.05 < frame.contour[near_an_edge].mean() < 0.7


def test_hardly_visible_objects_are_left_out():
    for seed in range(8):
        scene = scene_of(seed)
        kept = render(scene, SIZE, drop_hidden=True)
        counts = np.bincount(kept.instance.ravel(), minlength=len(kept.objects) + 1)[1:]
        assert (counts > 0).all()
        assert set(kept.positions) <= set(range(len(scene.objects)))
        assert all(scene.objects[p] == o for p, o in zip(kept.positions, kept.objects, strict=True))


def test_the_texture_moves_with_its_object():
    scene = scene_of(3, moving=True)
    source = replace(scene.objects[0], velocity=(0.1, 0.0), spin=0.0, along=-0.3, ahead=2.5)
    still = replace(scene, objects=(source,), pan=0.0)
    first, second = (render(still.at(t), (160, 120)) for t in (0, 3))
    shift = np.flatnonzero((second.instance == 1).any(0))[0]
    shift -= np.flatnonzero((first.instance == 1).any(0))[0]
    assert shift > 5
    both = (first.instance == 1) & (np.roll(second.instance, -shift, 1) == 1)
    there = np.abs(first.image - np.roll(second.image, -shift, 1))[both].mean()
    elsewhere = np.abs(first.image - second.image)[both].mean()
    assert there < 0.5 * elsewhere


@pytest.mark.parametrize('family', SHAPES)
def test_distances_have_unit_slope_near_the_outline(family):
    outline = replace(sample_outline(family, np.random.default_rng(1)), aspect=1.0, wobble=0.0)
    axis = np.linspace(-1.2, 1.2, 241, dtype=np.float64)
    distance = outline.distance(axis[None, :], axis[:, None]).astype(np.float64)
    slope = np.hypot(*np.gradient(distance, axis[1] - axis[0]))
    inside = (distance < -0.02) & (distance > -0.1)
    assert np.median(slope[inside]) == pytest.approx(1, abs=0.02)


def test_the_relief_is_a_quarter_circle_over_the_rim():
    outline = Outline('disc', 1.0, 0.5, 5, 0.0, 0.0, bevel=0.4)
    distance = np.array([0.1, 0.0, -0.1, -0.4, -0.9], np.float32)
    expected = [0, 0, np.sqrt(0.4**2 - 0.3**2), 0.4, 0.4]
    np.testing.assert_allclose(outline.relief(distance), expected, atol=1e-6)
