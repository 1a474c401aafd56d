"""Views of plain images: their boxes, that items are functions of their draw, and bad input."""

import pickle

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import default_collate
from PIL import Image
from torch.utils.data import DataLoader

from semcl_mm.datasets import (
    BYOL_VIEWS,
    TOY_VIEWS,
    ImageFolder,
    PairDraw,
    PairSampler,
    ViewDataset,
)
from semcl_mm.datasets.crops import Crop, cut
from semcl_mm.datasets.view_overlap import draw_overlapping_crops, overlap_boxes
from semcl_mm.datasets.view_recipe import ViewRecipe
from semcl_mm.models import ViewBatch, ViewDataPreprocessor

SIZE = 32
PLAIN = (dict(), dict())


@pytest.fixture(scope='module')
def photos(tmp_path_factory):
    """Six photos whose red and green values tell the place of a pixel."""
    root = tmp_path_factory.mktemp('photos')
    for number in range(6):
        ramp = np.zeros((90, 120, 3), dtype=np.uint8)
        ramp[..., 0] = np.arange(120)[None] * 2
        ramp[..., 1] = np.arange(90)[:, None] * 2
        ramp[..., 2] = 40 * number
        (root / f'class{number % 2}').mkdir(exist_ok=True)
        Image.fromarray(ramp).save(root / f'class{number % 2}' / f'{number}.png')
    return root


def views_of(photos, **options):
    return ViewDataset(photos, **{'views': BYOL_VIEWS, 'size': SIZE, **options})


def same(one, two):
    return all(map(torch.equal, one['inputs'], two['inputs'])) and np.array_equal(
        one['boxes'], two['boxes']
    )


def test_both_boxes_frame_the_same_part_of_the_photo(photos):
    """The colour tells where a pixel comes from: both boxes' corners must name one rectangle."""
    data = views_of(photos, views=PLAIN, size=96, min_overlap=0.2)
    for position in range(40):
        item = data[PairDraw(0, position, 0)]
        corners = []
        for view, box, flipped in zip(item['inputs'], item['boxes'], item['flipped'], strict=True):
            x1, y1, x2, y2 = box * 96
            pixels = view.numpy().astype(float) / 2  # back to columns and rows of the photo
            columns, rows = pixels[0].mean(axis=0), pixels[1].mean(axis=1)
            left, right = np.interp([x1 - 0.5, x2 - 0.5], np.arange(96), columns)
            if flipped:
                left, right = right, left
            corners.append([left, right, *np.interp([y1 - 0.5, y2 - 0.5], np.arange(96), rows)])
        assert np.abs(np.subtract(*corners)).max() < 2.5  # pixels at the border are replicated


def test_boxes_equal_a_count_of_pixels():
    """Brute force on a grid of fine points, for random crops, windows and flips."""
    rng = np.random.default_rng(0)
    recipes = ViewRecipe.parse((dict(crop='resize_short'), dict(scale=(0.1, 0.6))))
    grid = (np.arange(400) + 0.5) / 400
    for _ in range(30):
        crops = [draw(recipe, rng) for recipe in recipes]
        boxes = overlap_boxes(crops, 50)
        for this, (crop, box) in enumerate(zip(crops, boxes, strict=True)):
            own, other = crop.region(50), crops[1 - this].region(50)
            rows, columns = own.top + grid * own.height, own.left + grid * own.width
            row_inside = (rows > other.top) & (rows < other.top + other.height)
            column_inside = (columns > other.left) & (columns < other.left + other.width)
            if crop.flip:
                column_inside = column_inside[::-1]
            if not (row_inside.any() and column_inside.any()):
                continue
            seen = [grid[column_inside].min(), grid[row_inside].min()]
            seen += [grid[column_inside].max(), grid[row_inside].max()]
            np.testing.assert_allclose(box, seen, atol=0.006)


def draw(recipe, rng):
    return draw_overlapping_crops([recipe], 60, 90, 50, 0.0, rng)[0]


def test_the_second_view_shares_enough_or_both_are_central():
    rng = np.random.default_rng(0)
    recipes = ViewRecipe.parse([dict(scale=(0.05, 0.1))] * 2)
    central = 0
    for _ in range(300):
        crops = draw_overlapping_crops(recipes, 60, 90, SIZE, 0.7, rng)
        x1, y1, x2, y2 = overlap_boxes(crops, SIZE)[1]
        assert (x2 - x1) * (y2 - y1) >= 0.7
        if crops[0][:4] == (0, 5, 60, 80):
            assert crops[0][:4] == crops[1][:4]
            central += 1
    assert 0 < central < 300


def test_views_without_a_common_part_have_empty_boxes():
    left = Crop(0, 0, 10, 10, (SIZE, SIZE), (0, 0), False)
    right = Crop(0, 10, 10, 10, (SIZE, SIZE), (0, 0), True)
    assert not overlap_boxes([left, right], SIZE).any()


def test_a_view_equals_pillows_crop_and_resize(photos):
    image = np.array(Image.open(photos / 'class0/0.png'))
    crop = Crop(7, 11, 60, 80, (SIZE, SIZE), (0, 0), True)
    expected = Image.fromarray(image[7:67, 11:91]).resize((SIZE, SIZE), Image.BILINEAR)
    difference = cut(image, crop, SIZE).astype(int) - np.asarray(expected)[:, ::-1]
    assert np.abs(difference).max() <= 1


@pytest.mark.parametrize('photometry', ['worker', 'device'])
def test_items_are_functions_of_their_draw_in_any_worker(photos, photometry):
    data = views_of(photos, photometry=photometry, min_overlap=0.01)
    again = pickle.loads(pickle.dumps(data))
    assert same(data[PairDraw(3, 5, 1)], again[PairDraw(3, 5, 1)])
    assert not same(data[PairDraw(3, 5, 1)], data[PairDraw(3, 6, 1)])
    threads = cv2.getNumThreads()
    cv2.setNumThreads(0)  # a forked worker could wait for threads that only its parent has
    try:
        batches = []
        for workers in (0, 2):
            loader = DataLoader(
                data,
                batch_size=3,
                num_workers=workers,
                sampler=PairSampler(data, seed=4, infinite=False),
                collate_fn=default_collate,
            )
            batches.append(list(loader))
    finally:
        cv2.setNumThreads(threads)
    for one, two in zip(*batches, strict=True):
        assert same(one, two)
        assert one['boxes'].shape == (3, 2, 4)
        assert one['flipped'].dtype == torch.bool


def test_photometry_on_the_device_gives_nearly_the_workers_pixels(photos):
    batches = {}
    for where in ('worker', 'device'):
        data = views_of(photos, photometry=where)
        preprocessor = ViewDataPreprocessor(photometry=where == 'device')
        batches[where] = preprocessor(default_collate([data[PairDraw(i, i, 0)] for i in range(6)]))
    for one, two in zip(batches['worker']['inputs'], batches['device']['inputs'], strict=True):
        assert one.shape == (6, 3, SIZE, SIZE)
        assert (one - two).abs().mean() < 0.02  # about one grey level; a hue step is three
    assert isinstance(batches['worker']['data_samples'], ViewBatch)
    assert batches['worker']['data_samples'].boxes.shape == (6, 2, 4)
    assert batches['worker']['data_samples'].samples[4].sample_idx == 4


def test_a_batch_with_parameters_needs_a_preprocessor_that_applies_them(photos):
    batch = default_collate([views_of(photos, photometry='device')[PairDraw(0, 0, 0)]])
    with pytest.raises(ValueError, match=r'ViewDataPreprocessor.*photometry=True'):
        ViewDataPreprocessor()(batch)


def test_a_config_that_was_written_out_gives_the_same_views(photos, tmp_path, repository):
    cfg = Config.fromfile(repository / 'configs/_base_/datasets/views_toy.py')
    cfg.dump(tmp_path / 'written.py')
    written = Config.fromfile(tmp_path / 'written.py').train_dataloader.dataset
    assert ViewRecipe.parse(written.views) == ViewRecipe.parse(TOY_VIEWS)
    with pytest.raises(ValueError, match="views='MOCO' must be a list or one of"):
        views_of(photos, views='MOCO')


def test_min_overlap_needs_two_views(photos):
    with pytest.raises(ValueError, match=r'min_overlap=0.1 needs two views, not 3'):
        views_of(photos, views=[{}] * 3, min_overlap=0.1)


def test_an_item_beyond_the_end_is_named(photos):
    data = views_of(photos)
    assert isinstance(data.images, ImageFolder)
    with pytest.raises(IndexError, match='item 6 of 6'):
        data[PairDraw(6, 0, 0)]
