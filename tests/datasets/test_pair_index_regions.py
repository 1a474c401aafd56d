"""Runs, regions, components and the area rules, against per-pixel oracles."""

import math

import numpy as np
import pytest

from semcl_mm.datasets.regions import (
    find_regions,
    find_runs,
    large_enough,
    merge_regions,
    number_components,
)


def blocky(seed: int, shape: tuple[int, int], values: int, dtype=np.uint8) -> np.ndarray:
    """A label map with pieces of a few pixels."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, values, (shape[0] // 3 + 1, shape[1] // 4 + 1))
    return np.kron(small, np.ones((3, 4), int))[: shape[0], : shape[1]].astype(dtype)


@pytest.mark.parametrize('dtype', [np.uint8, np.uint16, np.int32, np.uint32])
@pytest.mark.parametrize('shape', [(1, 1), (1, 7), (7, 1), (23, 31)])
def test_regions_equal_a_count_of_pixels_value_by_value(dtype, shape) -> None:
    label = blocky(0, shape, 6, dtype) * 3
    regions = find_regions(label)
    assert regions.values.tolist() == sorted(set(label.ravel().tolist()))
    for value, area, box, first in zip(
        regions.values, regions.areas, regions.boxes, regions.first, strict=True
    ):
        rows, columns = np.nonzero(label == value)
        assert area == len(rows)
        box_of_pixels = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        assert box.tolist() == box_of_pixels
        assert first == np.flatnonzero(label == value)[0]


def test_painting_the_runs_gives_the_map_back() -> None:
    label = blocky(1, (40, 50), 200)
    runs = find_runs(label)
    np.testing.assert_array_equal(runs.paint(runs.values), label)


def test_merged_regions_are_the_regions_of_the_merged_map() -> None:
    label = blocky(2, (40, 50), 7)
    merged = merge_regions(find_regions(label), find_regions(label).values % 3)
    expected = find_regions(label % 3)
    for name in ('values', 'areas', 'boxes', 'first'):
        np.testing.assert_array_equal(getattr(merged, name), getattr(expected, name))


def flood_fill(label: np.ndarray, background: int) -> np.ndarray:
    """Components numbered in raster order, pixel by pixel."""
    numbers = np.zeros(label.shape, int)
    total = 0
    for start in np.ndindex(label.shape):
        if numbers[start] or label[start] == background:
            continue
        total += 1
        stack = [start]
        numbers[start] = total
        while stack:
            y, x = stack.pop()
            for v in range(max(0, y - 1), min(label.shape[0], y + 2)):
                for u in range(max(0, x - 1), min(label.shape[1], x + 2)):
                    if not numbers[v, u] and label[v, u] == label[y, x]:
                        numbers[v, u] = total
                        stack.append((v, u))
    return numbers


@pytest.mark.parametrize('seed', range(4))
def test_components_are_numbered_in_raster_order_with_diagonal_neighbours(seed) -> None:
    label = np.random.default_rng(seed).integers(0, 4, (17, 23)).astype(np.uint16)
    np.testing.assert_array_equal(number_components(label, 0), flood_fill(label, 0))


@pytest.mark.parametrize(('height', 'width'), [(375, 500), (480, 640), (1024, 2048), (29, 100)])
def test_the_code_rule_is_strict_and_in_double_precision(height, width) -> None:
    threshold = 0.01 * height * width
    areas = np.arange(math.floor(threshold) - 2, math.floor(threshold) + 3)
    kept = large_enough(areas, height, width, 'code', 0.01)
    assert kept.tolist() == [int(area) > threshold for area in areas]


@pytest.mark.parametrize(
    ('height', 'width', 'least'), [(480, 640, 3072), (375, 500, 1900), (1024, 2048, 21115)]
)
def test_the_paper_rule_keeps_from_the_product_of_rounded_sides_on(height, width, least) -> None:
    kept = large_enough(np.array([least - 1, least]), height, width, 'paper', 0.01)
    assert kept.tolist() == [False, True]


def test_both_rules_differ_at_their_border_on_480_x_640() -> None:
    area = np.array([3072])
    assert not large_enough(area, 480, 640, 'code', 0.01)[0]
    assert large_enough(area, 480, 640, 'paper', 0.01)[0]


@pytest.mark.parametrize(('rule', 'share'), [('box', 0.01), ('code', 1.0), ('code', -0.1)])
def test_an_unknown_rule_or_share_is_named(rule, share) -> None:
    with pytest.raises(ValueError, match=str(share) if rule == 'code' else rule):
        large_enough(np.array([1]), 10, 10, rule, share)
