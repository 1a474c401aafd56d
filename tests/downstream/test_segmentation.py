"""Data sets and loaders of segmentation: labels arrive as the classes say, or not at all."""

import numpy as np
import pytest
from PIL import Image

from semcl_mm.downstream import CamVidDataset, CheckedImage, CheckedSegAnnotations, ToySegDataset


@pytest.fixture
def camvid(tmp_path):
    for folder in ('train', 'trainannot'):
        (tmp_path / folder).mkdir()
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8)).save(tmp_path / 'train/a.jpg')
    label = rng.integers(0, 12, (6, 8)).astype(np.uint8)
    Image.fromarray(label).save(tmp_path / 'trainannot/a.png')
    return tmp_path, label


def load(root, num_classes=11):
    data_set = CamVidDataset(
        data_root=str(root),
        data_prefix=dict(img_path='train', seg_map_path='trainannot'),
        pipeline=[CheckedImage(), CheckedSegAnnotations(num_classes=num_classes)],
    )
    return data_set[0]


def test_camvid_ignores_unlabelled_pixels_and_keeps_the_others(camvid):
    root, label = camvid
    assert np.array_equal(load(root)['gt_seg_map'], np.where(label == 11, 255, label))


def test_camvid_names_eleven_classes():
    assert len(CamVidDataset.METAINFO['classes']) == len(CamVidDataset.METAINFO['palette']) == 11


def test_a_label_outside_the_classes_names_file_and_values(camvid):
    root, label = camvid
    label[0, 0], label[1, 1] = 40, 200
    Image.fromarray(label).save(root / 'trainannot/a.png')
    with pytest.raises(ValueError, match=r'a\.png: label values \[40, 200\] are outside 0\.\.10'):
        load(root)


def test_a_label_of_another_size_names_both_files(camvid):
    root, label = camvid
    Image.fromarray(label[:3]).save(root / 'trainannot/a.png')
    with pytest.raises(ValueError, match=r'a\.png: the label map is 8 x 3 .*a\.jpg is 8 x 6'):
        load(root)


def test_images_come_as_stored_in_bgr(tmp_path):
    """A note that says "rotate by 90 degrees" must not turn the image away from its labels."""
    pixels = np.zeros((4, 6, 3), np.uint8)
    pixels[..., 0] = 200  # red
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels).save(tmp_path / 'a.png', exif=exif)
    results = CheckedImage()({'img_path': str(tmp_path / 'a.png')})
    assert results['img'].shape == (4, 6, 3)
    assert results['ori_shape'] == (4, 6)
    assert results['img'][0, 0].tolist() == [0, 0, 200]


def test_a_cut_image_is_an_error(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / 'a.jpg')
    content = (tmp_path / 'a.jpg').read_bytes()
    (tmp_path / 'a.jpg').write_bytes(content[: len(content) * 2 // 3])
    with pytest.raises(ValueError, match=r'a\.jpg: truncated'):
        CheckedImage()({'img_path': str(tmp_path / 'a.jpg')})


def test_the_toy_world_is_a_segmentation_data_set(toy_world):
    data_set = ToySegDataset(
        data_root=str(toy_world),
        ann_file='ImageSets/Segmentation/val.txt',
        data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
        pipeline=[CheckedImage(), CheckedSegAnnotations(num_classes=9)],
    )
    assert len(data_set) == 6
    assert {int(v) for item in data_set for v in np.unique(item['gt_seg_map'])} <= {*range(9), 255}
