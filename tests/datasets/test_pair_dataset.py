"""Pairs from an index: what an item holds, that it is a function of its draw, and bad input."""

import os
import pickle

import cv2
import numpy as np
import pytest
import torch
from mmengine.dataset import default_collate
from PIL import Image
from torch.utils.data import DataLoader

from semcl_mm.datasets import pair_dataset
from semcl_mm.datasets.label_sources import voc
from semcl_mm.datasets.pair_builder import Selection, build_index
from semcl_mm.datasets.pair_dataset import PairDataset
from semcl_mm.datasets.samplers import PairDraw, PairSampler
from semcl_mm.datasets.view_recipe import SEMCL_VIEWS

SIZE = 32


def write_voc(root, images=6):
    """Photos of 80 x 60 with a cat (8) and, on every second one, a dog (12) in VOC's layout."""
    rng = np.random.default_rng(0)
    for folder in ('JPEGImages', 'SegmentationClass', 'ImageSets/Segmentation'):
        (root / folder).mkdir(parents=True)
    stems = [f'scene{number}' for number in range(images)]
    for number, stem in enumerate(stems):
        photo = cv2.resize(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8), (80, 60))
        label = np.zeros((60, 80), dtype=np.uint8)
        label[10:40, 5 + number : 35 + number] = 8
        if number % 2:
            label[30:55, 50:75] = 12
        Image.fromarray(photo).save(root / f'JPEGImages/{stem}.jpg', quality=95)
        Image.fromarray(label).save(root / f'SegmentationClass/{stem}.png')
    (root / 'ImageSets/Segmentation/train.txt').write_text('\n'.join(stems) + '\n')
    build_index(voc(root), root / 'train.pairs', Selection())
    return root


@pytest.fixture(scope='module')
def shared_root(tmp_path_factory):
    return write_voc(tmp_path_factory.mktemp('voc'))


@pytest.fixture
def own_root(tmp_path):
    """A data set that a test may damage."""
    return write_voc(tmp_path / 'voc', images=2)


def dataset(root, **options):
    return PairDataset(root / 'train.pairs', root, size=SIZE, **options)


def equal(left, right):
    return (
        all(map(torch.equal, left['inputs'], right['inputs']))
        and left['data_samples'].metainfo == right['data_samples'].metainfo
        and np.array_equal(
            left['data_samples'].anchor_fraction, right['data_samples'].anchor_fraction
        )
    )


def test_an_item_holds_three_uint8_views_of_both_roles_and_its_identity(shared_root):
    pairs = dataset(shared_root)
    assert len(pairs) == 9
    item = pairs[PairDraw(2, 0, 0)]
    assert [(view.shape, view.dtype) for view in item['inputs']] == [
        ((2, 3, SIZE, SIZE), torch.uint8)
    ] * 3
    sample = item['data_samples']
    assert pairs.metainfo['classes'][sample.category] == 'dog'
    assert sample.img_path.endswith('JPEGImages/scene1.jpg')
    assert sample.pair == 2
    assert sample.anchor_fraction.shape == (3,)
    assert sample.anchor_fraction.dtype == np.float32


def test_the_mild_view_is_the_exported_pair_resized_and_cropped(shared_root):
    pairs = dataset(shared_root, views=[dict(crop='resize_short', flip=0)])
    photo = np.asarray(Image.open(shared_root / 'JPEGImages/scene0.jpg')).copy()
    mask = np.asarray(Image.open(shared_root / 'SegmentationClass/scene0.png')) == 8
    view = pairs[PairDraw(0, 0, 0)]['inputs'][0].permute(0, 2, 3, 1).numpy().astype(int)
    for role, part in zip(view, (mask, ~mask), strict=True):
        whole = Image.fromarray(photo * part[..., None]).resize((42, SIZE), Image.BILINEAR)
        whole = np.asarray(whole).astype(int)
        windows = [whole[:, left : left + SIZE] for left in range(42 - SIZE + 1)]
        assert min(np.abs(role - window).max() for window in windows) <= 1


def test_without_photometry_black_pixels_of_one_role_are_content_of_the_other(shared_root):
    pairs = dataset(shared_root, views=[dict(crop='random_resized')] * 3)
    for number in range(len(pairs)):
        for view in pairs[PairDraw(number, 0, 0)]['inputs']:
            anchor, environment = view.amax(dim=1).int()
            # Only the soft edge, about a pixel wide, shows both.
            assert ((anchor > 8) & (environment > 8)).float().mean() < 0.3


def test_an_item_is_a_function_of_its_draw_and_not_of_what_came_before(shared_root):
    pairs, other = dataset(shared_root), dataset(shared_root)
    draw = PairDraw(3, 17, 5)
    for number in (0, 8, 3):
        other[PairDraw(number, 1, 1)]
    assert equal(pairs[draw], other[draw])
    assert not equal(pairs[draw], pairs[draw._replace(position=18)])
    assert not equal(pairs[draw], pairs[draw._replace(seed=6)])


@pytest.mark.parametrize('workers', [0, 2])
def test_a_killed_epoch_goes_on_with_the_same_pairs_and_the_same_augmentations(
    shared_root, workers
):
    def loader(skipped, num_workers):
        pairs = dataset(shared_root)
        sampler = PairSampler(pairs, seed=4)
        sampler.skip(skipped)
        options = dict(persistent_workers=True) if num_workers else {}
        return DataLoader(
            pairs, 2, False, sampler, num_workers=num_workers, collate_fn=default_collate, **options
        )

    whole = iter(loader(0, 0))
    whole = [next(whole) for _ in range(8)]  # 16 draws of 9 pairs: the first epoch ends within
    resumed = iter(loader(3 * 2, workers))
    for batch in whole[3:]:
        again = next(resumed)
        assert all(map(torch.equal, batch['inputs'], again['inputs']))
        assert [sample.pair for sample in batch['data_samples']] == [
            sample.pair for sample in again['data_samples']
        ]


def test_a_plain_integer_draws_from_torchs_generator(shared_root):
    pairs = dataset(shared_root)
    torch.manual_seed(0)
    first, second = pairs[1], pairs[1]
    torch.manual_seed(0)
    assert equal(pairs[1], first)
    assert not equal(first, second)


def test_the_device_mode_ships_the_same_crops_without_photometry(shared_root):
    views = [{**view, 'jitter': 0, 'gray': 0, 'blur': 0, 'solarize': 0} for view in SEMCL_VIEWS]
    plain = dataset(shared_root, views=views)
    device = dataset(shared_root, photometry='device')
    cuts = device[PairDraw(0, 0, 0)]
    assert cuts['photometry'].shape == (3, 2, 8)
    # The first view comes before any photometry is drawn, so its crop is the same in both.
    assert torch.equal(cuts['inputs'][0], plain[PairDraw(0, 0, 0)]['inputs'][0])


def test_a_batch_takes_a_quarter_of_the_bytes_of_floats(shared_root):
    batch = default_collate([dataset(shared_root)[PairDraw(0, n, 0)] for n in range(4)])
    found = sum(view.nbytes for view in batch['inputs'])
    assert found * 4 == 3 * 4 * 2 * 3 * SIZE * SIZE * torch.float32.itemsize
    # Nothing else in the batch is a tensor that would need shared memory of its own.
    assert not any(
        isinstance(sample.anchor_fraction, torch.Tensor) for sample in batch['data_samples']
    )


def test_image_and_label_are_decoded_once_for_neighbouring_pairs_of_an_image(
    shared_root, monkeypatch
):
    pairs, read = dataset(shared_root), []
    decode = pair_dataset.read_rgb
    monkeypatch.setattr(pair_dataset, 'read_rgb', lambda path: read.append(path) or decode(path))
    for number in (1, 2, 1, 2):  # cat and dog of one photo
        assert pairs.index.record(number).image_id == 1
        pairs[PairDraw(number, 0, 0)]
    assert len(read) == 1
    fresh = dataset(shared_root)
    assert equal(pairs[PairDraw(2, 0, 0)], fresh[PairDraw(2, 0, 0)])


def test_a_minimum_anchor_fraction_is_reached_or_the_best_crop_taken(shared_root):
    def fractions(**options):
        pairs = dataset(shared_root, views=[dict(crop='random_resized')], **options)
        return np.array(
            [pairs[PairDraw(2, n, 0)]['data_samples'].anchor_fraction[0] for n in range(150)]
        )

    first = fractions()
    assert (first == 0).mean() > 0.1
    assert (fractions(min_anchor_fraction=0.05, max_tries=50) >= 0.05).all()
    best = fractions(min_anchor_fraction=0.99, max_tries=5)
    assert best.mean() > first.mean() + 0.1


@pytest.mark.parametrize('fill', ['mean', (10, 200, 30)])
def test_a_fill_colours_what_is_outside_of_the_anchor(shared_root, fill):
    pairs = dataset(shared_root, views=[dict(crop='resize_short')], fill=fill)
    colour = torch.tensor((124, 116, 104) if fill == 'mean' else fill).view(3, 1, 1)
    anchor = pairs[PairDraw(2, 0, 0)]['inputs'][0][0]
    assert ((anchor == colour).all(dim=0)).float().mean() > 0.3
    assert ((anchor == 0).all(dim=0)).float().mean() < 0.01


def test_a_fill_of_noise_is_another_one_for_each_role(shared_root):
    pairs = dataset(shared_root, views=[dict(crop='resize_short')], fill='noise')
    anchor, environment = pairs[PairDraw(2, 0, 0)]['inputs'][0].float()
    assert anchor.std() > 20
    assert abs(torch.corrcoef(torch.stack([anchor.flatten(), environment.flatten()]))[0, 1]) < 0.5


def test_several_indices_are_one_data_set(shared_root, own_root):
    pairs = PairDataset(
        [shared_root / 'train.pairs', own_root / 'train.pairs'], [shared_root, own_root], size=SIZE
    )
    assert len(pairs) == 9 + 3
    sample = pairs[PairDraw(11, 0, 0)]['data_samples']
    assert sample.img_path == str(own_root / 'JPEGImages/scene1.jpg')


def test_pickling_carries_neither_decoded_images_nor_the_index_itself(shared_root):
    pairs = dataset(shared_root)
    pairs[PairDraw(0, 0, 0)]
    content = pickle.dumps(pairs)
    assert len(content) < 4000
    assert equal(pickle.loads(content)[PairDraw(0, 0, 0)], pairs[PairDraw(0, 0, 0)])


def test_a_truncated_jpeg_is_an_error_that_names_the_file(own_root):
    pairs = dataset(own_root)
    photo = own_root / 'JPEGImages/scene1.jpg'
    photo.write_bytes(photo.read_bytes()[:-200])
    with pytest.raises(ValueError, match=r'scene1\.jpg: truncated'):
        pairs[PairDraw(1, 0, 0)]


def test_a_file_that_is_no_image_is_an_error_that_names_it(own_root):
    pairs = dataset(own_root)
    (own_root / 'JPEGImages/scene1.jpg').write_bytes(b'<html>moved</html>')
    with pytest.raises(ValueError, match=r'scene1\.jpg: cannot be decoded'):
        pairs[PairDraw(1, 0, 0)]


def test_a_photo_of_another_size_is_an_error_with_both_sizes(own_root):
    pairs = dataset(own_root)
    Image.new('RGB', (81, 60)).save(own_root / 'JPEGImages/scene1.jpg')
    with pytest.raises(ValueError, match=r'scene1\.jpg: 81x60 .* 80x60'):
        pairs[PairDraw(1, 0, 0)]


def test_a_missing_photo_is_named(own_root):
    pairs = dataset(own_root)
    (own_root / 'JPEGImages/scene1.jpg').unlink()
    with pytest.raises(ValueError, match=r'scene1\.jpg: cannot be read'):
        pairs[PairDraw(1, 0, 0)]


def test_a_changed_label_is_named(own_root):
    pairs = dataset(own_root)
    path = own_root / 'SegmentationClass/scene1.png'
    size = os.path.getsize(path)
    Image.fromarray(np.full((60, 80), 12, dtype=np.uint8)).save(path)
    assert os.path.getsize(path) != size
    with pytest.raises(ValueError, match=r'scene1\.png'):
        pairs[PairDraw(1, 0, 0)]


def test_bytes_behind_a_complete_jpeg_are_no_damage(own_root):
    pairs = dataset(own_root)
    expected = pairs[PairDraw(0, 0, 0)]
    photo = own_root / 'JPEGImages/scene0.jpg'
    photo.write_bytes(photo.read_bytes() + b'camera notes')
    assert equal(dataset(own_root, verify=False)[PairDraw(0, 0, 0)], expected)


def test_a_rotation_noted_in_the_photo_is_not_applied_since_labels_lie_on_stored_pixels(own_root):
    photo = own_root / 'JPEGImages/scene0.jpg'
    expected = dataset(own_root)[PairDraw(0, 0, 0)]
    content = photo.read_bytes()
    rotated = bytes.fromhex('ffe1002245786966000049492a00080000000100120103000100000006000000')
    photo.write_bytes(content[:2] + rotated + bytes(4) + content[2:])
    assert Image.open(photo).getexif()[0x0112] == 6
    assert equal(dataset(own_root, verify=False)[PairDraw(0, 0, 0)], expected)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'photometry': 'gpu'}, "photometry='gpu'"),
        ({'fill': 'grey'}, "fill='grey'"),
        ({'fill': (0, 0, 300)}, 'three values'),
        ({'min_anchor_fraction': 1.5}, 'min_anchor_fraction=1.5'),
        ({'max_tries': 0}, 'max_tries=0'),
        ({'views': []}, 'views is empty'),
    ],
)
def test_a_bad_option_is_named(shared_root, options, message):
    with pytest.raises(ValueError, match=message):
        dataset(shared_root, **options)


def test_indices_and_roots_must_match_in_number(shared_root):
    with pytest.raises(ValueError, match='2 pair indices need as many data roots, not 1'):
        PairDataset([shared_root / 'train.pairs'] * 2, [shared_root])


def test_a_pair_that_does_not_exist_is_an_index_error(shared_root):
    with pytest.raises(IndexError, match='item 9 of 9'):
        dataset(shared_root)[PairDraw(9, 0, 0)]
