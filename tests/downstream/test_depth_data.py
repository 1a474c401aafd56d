"""Depth data sets in all their layouts, and maps that are checked when they are read."""

import json

import numpy as np
import pytest
from mmengine.registry import TRANSFORMS
from PIL import Image

from semcl_mm.downstream import CheckedImage
from semcl_mm.downstream.depth import (
    CheckedDepth,
    CityscapesDepthDataset,
    CropKITTI,
    CropNYUBorder,
    DepthListDataset,
    KITTIDepthDataset,
    NYUv2DepthDataset,
)

LOAD = [CheckedImage(), CheckedDepth()]


def write_pair(root, image, depth, seed=0, size=(6, 8)):
    """An image and a 16-bit map of random values, some of them 0; returns the values."""
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 9000, size).astype(np.uint16)
    values[0, :2] = 0
    for name, pixels in ((image, rng.integers(0, 256, (*size, 3), np.uint8)), (depth, values)):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    return values


def metres(values, scale):
    return (values / scale).astype(np.float32)


def test_both_layouts_of_nyuv2_give_the_same_maps(tmp_path):
    scenes = {f'kitchen_{i}': i for i in range(3)}
    lines = ['# image depth focal', '']
    for scene, seed in scenes.items():
        names = f'{scene}/rgb_00045.png', f'{scene}/sync_depth_00045.png'
        write_pair(tmp_path / 'lists', *names, seed)
        lines.append(f'/{names[0]} /{names[1]} 518.8579')  # BTS's lists begin with a slash
        write_pair(
            tmp_path / 'mmseg', f'images/test/{scene}.png', f'annotations/test/{scene}.png', seed
        )
    (tmp_path / 'lists/nyu_test.txt').write_text('\n'.join(lines) + '\n')
    listed = NYUv2DepthDataset(
        data_root=str(tmp_path / 'lists'), ann_file='nyu_test.txt', pipeline=LOAD
    )
    folders = NYUv2DepthDataset(
        data_root=str(tmp_path / 'mmseg'),
        data_prefix=dict(img_path='images/test', depth_map_path='annotations/test'),
        img_suffix='.png',
        pipeline=LOAD,
    )
    assert len(listed) == len(folders) == 3
    for a, b in zip(listed, folders, strict=True):
        assert np.array_equal(a['img'], b['img'])
        assert np.array_equal(a['gt_depth_map'], b['gt_depth_map'])
        assert (a['focal'], a['gt_depth_map'].dtype) == (518.8579, np.float32)


def test_an_image_without_its_map_is_found_when_the_folders_are_read(tmp_path):
    write_pair(tmp_path, 'images/a.png', 'annotations/a.png')
    write_pair(tmp_path, 'images/sub/b.png', 'annotations/other.png')
    with pytest.raises(ValueError, match=r'annotations: 1 of 2 images have no .* sub/b\.png'):
        NYUv2DepthDataset(
            data_root=str(tmp_path),
            data_prefix=dict(img_path='images', depth_map_path='annotations'),
            img_suffix='.png',
        )


def test_kitti_is_metres_times_256_and_images_without_truth_are_left_out(tmp_path):
    image, depth = '2011_09_26/d_sync/image_02/data/5.png', 'd_sync/proj_depth/groundtruth/5.png'
    values = write_pair(tmp_path, f'input/{image}', f'gt_depth/{depth}')
    (tmp_path / 'test.txt').write_text(f'{image} {depth} 721.5377\n{image} None 721.5377\n')
    data_set = KITTIDepthDataset(data_root=str(tmp_path), ann_file='test.txt', pipeline=LOAD)
    (item,) = data_set
    assert np.array_equal(item['gt_depth_map'], metres(values, 256))


def test_kitti_without_a_list_says_so(tmp_path):
    (tmp_path / 'input').mkdir()
    with pytest.raises(ValueError, match='needs ann_file'):
        KITTIDepthDataset(data_root=str(tmp_path))


def cityscapes(root, camera):
    write_pair(
        root, 'leftImg8bit/val/bonn/b_1_leftImg8bit.png', 'disparity/val/bonn/b_1_disparity.png'
    )
    Image.fromarray(DISPARITY).save(root / 'disparity/val/bonn/b_1_disparity.png')
    folder = root / 'camera/val/bonn'
    folder.mkdir(parents=True)
    (folder / 'b_1_camera.json').write_text(
        camera if isinstance(camera, str) else json.dumps(camera)
    )
    prefix = dict(
        img_path='leftImg8bit/val', depth_map_path='disparity/val', camera_path='camera/val'
    )
    return CityscapesDepthDataset(data_root=str(root), data_prefix=prefix, pipeline=LOAD)


DISPARITY = np.full((6, 8), 256 * 40 + 1, np.uint16)
DISPARITY[0] = [0, 1, 2, 257, 256 * 10 + 1, 256 * 126 + 1, 65535, 128]
CAMERA = dict(extrinsic=dict(baseline=0.22), intrinsic=dict(fx=2000.0))


def test_disparity_of_cityscapes_becomes_metres(tmp_path):
    """0.22 m x 2000 px = 440: 40 px are 11 m, 1 px is 440 m; 0 and 1 in the file are unknown."""
    (item,) = cityscapes(tmp_path, CAMERA)
    depth = item['gt_depth_map']
    assert depth[1:] == pytest.approx(11.0)
    expected = [0, 0, 440 * 256, 440, 44, 440 / 126, 440 / (65534 / 256), 440 / (127 / 256)]
    assert depth[0] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ('camera', 'message'),
    [
        (
            dict(extrinsic={}, intrinsic=dict(fx=1)),
            r'camera\.json: no extrinsic\.baseline .*KeyError',
        ),
        (dict(CAMERA, intrinsic=dict(fx=0)), r'baseline 0\.22 and fx 0\.0 must be positive'),
        ('{', r'b_1_camera\.json: no JSON'),
    ],
)
def test_a_broken_camera_file_is_named(tmp_path, camera, message):
    with pytest.raises(ValueError, match=message):
        cityscapes(tmp_path, camera)[0]


def test_a_list_names_scale_and_intrinsics_per_image(tmp_path):
    values = [write_pair(tmp_path, f'{i}.png', f'{i}_d.png', i) for i in range(2)]
    (tmp_path / 'list.txt').write_text('0.png 0_d.png 1000 585 585 320 240\n1.png 1_d.png 5000\n')
    first, second = DepthListDataset(data_root=str(tmp_path), ann_file='list.txt', pipeline=LOAD)
    assert np.array_equal(first['gt_depth_map'], metres(values[0], 1000))
    assert np.array_equal(second['gt_depth_map'], metres(values[1], 5000))
    assert first['intrinsics'] == (585, 585, 320, 240)
    assert 'intrinsics' not in second


@pytest.mark.parametrize(
    ('line', 'message'),
    [
        ('a.png d.png', r"list\.txt:2: 'a\.png d\.png' is not \"image depth scale"),
        ('a.png d.png big', r'list\.txt:2: .* is not'),
        ('a.png d.png inf', r'list\.txt:2: inf must be positive and finite'),
        ('a.png d.png 0', r'list\.txt:2: 0\.0 must be positive'),
    ],
)
def test_a_wrong_line_is_named_with_its_number(tmp_path, line, message):
    (tmp_path / 'list.txt').write_text(f'# comment\n{line}\n')
    with pytest.raises(ValueError, match=message):
        DepthListDataset(data_root=str(tmp_path), ann_file='list.txt')


def test_an_empty_list_is_an_error(tmp_path):
    (tmp_path / 'list.txt').write_text('# nothing\n')
    with pytest.raises(ValueError, match=r'list\.txt: no image with a depth map'):
        DepthListDataset(data_root=str(tmp_path), ann_file='list.txt')


@pytest.mark.parametrize(
    ('values', 'message'),
    [
        (None, r'd\.png: cannot be read \(No such file'),
        (np.zeros((6, 8), np.uint8), r'd\.png: the file is of 8 bits'),
        (np.zeros((6, 8, 3), np.uint8), r'd\.png: the file is in colour'),
        (np.ones((3, 8), np.uint16), r'd\.png: the depth map is 8 x 3 pixels, .*a\.png is 8 x 6'),
        (np.full((6, 8), -4, np.int32), r'd\.\w+: negative depth \(-4\)'),
        (b'cut', r'd\.png: truncated'),
    ],
)
def test_a_map_that_cannot_be_right_is_named(tmp_path, values, message):
    content = (
        write_pair(tmp_path, 'a.png', 'd.png') is not None and (tmp_path / 'd.png').read_bytes()
    )
    path = tmp_path / 'd.png'
    path.unlink()
    if isinstance(values, bytes):
        path.write_bytes(content[: len(content) // 2])
    elif values is not None:
        path = path.with_suffix('.tif') if values.dtype == np.int32 else path
        Image.fromarray(values).save(path)
    with pytest.raises(ValueError, match=message):
        load(tmp_path / 'a.png', path)


def load(image, depth, **settings):
    results = dict(img_path=str(image), depth_map_path=str(depth), depth_scale=1000.0)
    return CheckedDepth(**settings)(CheckedImage()(results))


def test_a_map_without_a_known_pixel_is_let_through_or_an_error_as_asked(tmp_path):
    write_pair(tmp_path, 'a.png', 'd.png')
    Image.fromarray(np.zeros((6, 8), np.uint16)).save(tmp_path / 'd.png')
    assert not load(tmp_path / 'a.png', tmp_path / 'd.png')['gt_depth_map'].any()
    with pytest.raises(ValueError, match=r'd\.png: no pixel of the depth map is known'):
        load(tmp_path / 'a.png', tmp_path / 'd.png', require_valid=True)


def big(height, width):
    image = np.arange(height * width * 3, dtype=np.uint8).reshape(height, width, 3)
    depth = image[..., 0] + np.float32(1)
    return dict(img=image, gt_depth_map=depth, seg_fields=['gt_depth_map'])


@pytest.mark.parametrize(
    ('crop', 'size', 'rows', 'columns'),
    [
        (CropNYUBorder(), (480, 640), (45, 472), (43, 608)),
        (CropKITTI(), (375, 1242), (23, 375), (13, 1229)),
        (CropKITTI(), (352, 1216), (0, 352), (0, 1216)),
    ],
)
def test_crops_cut_image_and_map_alike(crop, size, rows, columns):
    before, after = big(*size), crop(big(*size))
    for key in ('img', 'gt_depth_map'):
        assert np.array_equal(after[key], before[key][slice(*rows), slice(*columns)])
    assert after['img_shape'] == (rows[1] - rows[0], columns[1] - columns[0])


@pytest.mark.parametrize(
    ('crop', 'size'), [(CropNYUBorder(), (240, 320)), (CropKITTI(), (370, 1000))]
)
def test_an_image_too_small_for_the_crop_is_an_error(crop, size):
    with pytest.raises(ValueError, match=f'{size[1]} x {size[0]}'):
        crop(big(*size))


@pytest.mark.parametrize('data', ['nyuv2', 'kitti', 'cityscapes', 'sample', 'toy'])
def test_training_pipelines_keep_every_map_on_its_image(data, repository):
    """With the depth painted into the image, what comes out still agrees wherever it is known."""
    from mmengine.config import Config

    cfg = Config.fromfile(repository / f'configs/_base_/datasets/depth_{data}.py')
    size = dict(nyuv2=(480, 640), kitti=(375, 1242), cityscapes=(1024, 2048)).get(data, (480, 640))
    rng = np.random.default_rng(0)
    names = ('CheckedImage', 'CheckedDepth', 'PhotoMetricDistortion', 'PackSegInputs')
    steps = [t for t in cfg.train_pipeline if t.type.__name__ not in names]
    steps = [TRANSFORMS.build(step) for step in steps]
    assert steps
    values = np.kron(rng.integers(10, 200, (8, 8)), np.ones((size[0] // 8, size[1] // 8)))
    values = np.pad(values, ((0, size[0] - values.shape[0]), (0, size[1] - values.shape[1])))
    values = values.astype(np.uint8)
    for seed in range(4):
        np.random.seed(seed)  # noqa: NPY002 (what the transforms draw from)
        results = dict(
            img=np.repeat(values[..., None], 3, 2),
            gt_depth_map=values.astype(np.float32),
            seg_fields=['gt_depth_map'],
            img_shape=size,
            ori_shape=size,
        )
        for step in steps:
            results = step(results)
        image, depth = results['img'][..., 0].astype(np.float32), results['gt_depth_map']
        assert image.shape == depth.shape == tuple(cfg.crop_size)
        known = depth > 0
        assert known.mean() > 0.5
        assert (np.abs(image - depth)[known] < 1).mean() > 0.9  # bilinear against nearest at edges


def test_the_toy_world_is_a_depth_data_set(toy_world):
    data_set = DepthListDataset(
        data_root=str(toy_world), ann_file='ImageSets/Depth/val.txt', pipeline=LOAD
    )
    assert len(data_set) == 6
    for item in data_set:
        assert item['gt_depth_map'].shape == item['img'].shape[:2]
        assert 1 < item['gt_depth_map'].min() < item['gt_depth_map'].max() < 12


@pytest.mark.parametrize(
    ('split', 'count', 'known', 'low', 'high'),
    [('within_val', 32, 0.5, 0.5, 10), ('kitti', 3, 0.15, 4, 90)],
)
def test_the_real_sample_reads_within_its_stated_ranges(real_data, split, count, known, low, high):
    data_set = DepthListDataset(
        data_root=str(real_data / 'depth'), ann_file=f'splits/{split}.txt', pipeline=LOAD
    )
    assert len(data_set) == count
    for index in range(0, count, max(1, count // 5)):
        depth = data_set[index]['gt_depth_map']
        assert (depth > 0).mean() > known
        assert low < depth[depth > 0].min() < depth.max() < high
