"""Lists of images: what each kind of source finds, in which order, and what it refuses."""

import json

import pytest

from semcl_mm.datasets import CocoImages, ImageFolder, ImageList
from semcl_mm.datasets.image_files import DataError
from semcl_mm.datasets.image_sources import image_source


@pytest.fixture
def root(tmp_path):
    for name in ('b/2.JPEG', 'a/1.png', 'a/deep/3.jpg', 'a/notes.txt', 'ä/größe.webp'):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def names(source, root):
    return [source.path(i).removeprefix(f'{root}/') for i in range(len(source))]


def test_a_folder_is_searched_to_the_bottom_in_sorted_order(root):
    assert names(ImageFolder(root), root) == ['a/1.png', 'a/deep/3.jpg', 'b/2.JPEG', 'ä/größe.webp']


def test_a_list_names_images_with_or_without_their_suffix(root):
    (root / 'train.txt').write_text('a/deep/3\n\n  b/4 \n')
    source = ImageList(root / 'train.txt', root, suffix='.jpg')
    assert names(source, root) == ['a/deep/3.jpg', 'b/4.jpg']


def test_a_coco_file_names_images(root):
    images = [dict(id=7, file_name='b/2.JPEG', height=1, width=1), dict(id=3, file_name='x.jpg')]
    (root / 'coco.json').write_text(json.dumps(dict(images=images, categories=[])))
    assert names(CocoImages(root / 'coco.json', root), root) == ['b/2.JPEG', 'x.jpg']


def test_a_list_of_sources_is_their_union_in_order(root):
    (root / 'train.txt').write_text('a/1.png\n')
    listed = dict(type=ImageList, ann_file=root / 'train.txt', data_root=root)
    source = image_source([root / 'a', listed, str(root / 'b')])
    assert len(source) == 4
    expected = ['a/1.png', 'a/deep/3.jpg', 'a/1.png', 'b/2.JPEG']
    assert names(source, root) == expected


def test_what_is_missing_is_named(root):
    with pytest.raises(DataError, match=r'nowhere: no such folder'):
        ImageFolder(root / 'nowhere')
    (root / 'empty').mkdir()
    with pytest.raises(DataError, match=r'empty: names no image'):
        ImageFolder(root / 'empty')
    (root / 'train.txt').write_text('a/9.png\n')
    with pytest.raises(DataError, match=r'train.txt: its first image .*a/9.png does not exist'):
        ImageList(root / 'train.txt', root)
    (root / 'coco.json').write_text('{"images": [{"id": 1}], "categories": []}')
    with pytest.raises(DataError, match=r'coco.json: an image has no file_name'):
        CocoImages(root / 'coco.json', root)
    with pytest.raises(ValueError, match=r'images=\[\] must be'):
        image_source([])
