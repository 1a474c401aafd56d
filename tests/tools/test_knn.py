"""tools/knn.py on a tiny toy world: the same numbers twice, and one line for what is wrong."""

import json
import runpy

import pytest
from mmengine.config import Config
from PIL import Image


@pytest.fixture(scope='module')
def knn(repository):
    return runpy.run_path(str(repository / 'tools/knn.py'))['main']


@pytest.fixture(scope='module')
def config(repository, toy_world, tmp_path_factory):
    cfg = Config.fromfile(repository / 'configs/segmentation/limited-10_r18-narrow_toy.py')
    cfg.train_dataloader.dataset.dataset.data_root = str(toy_world)
    cfg.train_dataloader.dataset.fraction = 0.5
    cfg.val_dataloader.dataset.data_root = str(toy_world)
    path = tmp_path_factory.mktemp('config') / 'toy.py'
    cfg.dump(path)
    return str(path)


def test_a_backbone_is_judged_twice_alike_on_a_subset_of_the_labels(knn, config, tmp_path, capsys):
    options = ['--protocols', 'knn', 'linear', '--cells', '8', '--val-images', '3']
    for name in ('a', 'b'):
        knn([config, *options, '--out', str(tmp_path / f'{name}.json')])
    first, second = (json.loads((tmp_path / f'{name}.json').read_text()) for name in ('a', 'b'))
    assert first == second
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == first
    assert (first['images'], first['label_subset']['of']) == (9, 18)
    assert first['backbone'] == 'random, seed 0'
    for key in ('knn_mIoU', 'linear_mIoU', 'knn_accuracy', 'linear_accuracy'):
        assert 0 < first[key] <= 100


def test_images_in_class_folders_are_told_apart_by_their_colour(knn, config, tmp_path, capsys):
    for split, shades in (('train', (0, 20, 40)), ('val', (10, 30))):
        for name, channel in (('red', 0), ('blue', 2)):
            folder = tmp_path / split / name
            folder.mkdir(parents=True)
            for shade in shades:
                colour = [shade] * 3
                colour[channel] = 255 - shade
                Image.new('RGB', (40, 30), tuple(colour)).save(folder / f'{shade}.png')
    folders = ['--folders', str(tmp_path / 'train'), str(tmp_path / 'val'), '--neighbours', '2']
    knn([config, *folders])
    assert json.loads(capsys.readouterr().out)['knn_accuracy'] == 100
    (tmp_path / 'val' / 'red').rename(tmp_path / 'val' / 'green')
    with pytest.raises(SystemExit):
        knn([config, *folders])
    assert "'green' is no class" in capsys.readouterr().err


def test_a_config_without_labels_is_named(knn, repository, capsys):
    with pytest.raises(SystemExit):
        knn([str(repository / 'configs/semcl/toy.py')])
    assert 'give a segmentation config' in capsys.readouterr().err
