"""A missing path of a data set is named with its key."""

import pytest
from tiny_run import TinyPairs, tiny_config

from semcl_mm.engine import Runner
from semcl_mm.engine.data_paths import require_data_paths


@pytest.fixture
def dataset(tmp_path):
    (tmp_path / 'images').mkdir()
    (tmp_path / 'train.txt').write_text('a\n')
    prefix = {'img_path': 'images', 'seg_map_path': None}
    return {'data_root': str(tmp_path), 'ann_file': 'train.txt', 'data_prefix': prefix}


def test_paths_that_exist_pass_and_so_does_what_is_elsewhere(dataset):
    for change in ({}, {'ann_file': ''}, {'data_root': 's3://bucket'}):
        require_data_paths({**dataset, **change}, 'dataset')
    require_data_paths({'images': dataset['data_root'], 'index': None}, 'dataset')


@pytest.mark.parametrize(
    ('change', 'named'),
    [
        ({'data_root': '/nowhere'}, 'dataset.data_root: /nowhere '),
        ({'data_root': ['.', '/nowhere']}, 'dataset.data_root.1: /nowhere '),
        ({'index': 'no.pairs'}, 'dataset.index: no.pairs '),
        ({'index': ['.', 'no.pairs']}, 'dataset.index.1: no.pairs '),
        ({'ann_file': 'val.txt'}, 'dataset.ann_file: .*val.txt '),
        ({'data_prefix': {'img_path': 'photos'}}, 'dataset.data_prefix.img_path: .*photos '),
    ],
)
def test_a_missing_path_is_named_with_its_key(dataset, change, named):
    with pytest.raises(FileNotFoundError, match=named):
        require_data_paths({**dataset, **change}, 'dataset')


def test_a_data_set_inside_a_wrapper_is_checked_too(dataset):
    wrapper = {'type': 'RepeatDataset', 'dataset': {**dataset, 'ann_file': 'val.txt'}}
    with pytest.raises(FileNotFoundError, match=r'train_dataloader\.dataset\.dataset\.ann_file'):
        require_data_paths(wrapper, 'train_dataloader.dataset')


def test_sources_of_images_and_frames_are_checked_and_name_their_lists_in_full(dataset, tmp_path):
    source = {'data_root': str(tmp_path), 'ann_file': str(tmp_path / 'train.txt')}
    require_data_paths({'frames': source, 'images': [source]}, 'dataset')
    with pytest.raises(FileNotFoundError, match=r'dataset\.images\.1\.data_root: /nowhere '):
        require_data_paths({'images': [source, {'data_root': '/nowhere'}]}, 'dataset')
    with pytest.raises(FileNotFoundError, match=r'dataset\.frames\.ann_file: train.txt '):
        require_data_paths({'frames': {**source, 'ann_file': 'train.txt'}}, 'dataset')


@pytest.mark.parametrize('split', ['train', 'val', 'test'])
def test_the_runner_names_the_loader_of_a_missing_path(tmp_path, split):
    config = tiny_config(tmp_path)
    runner = Runner.from_cfg(config)
    loader = dict(config.train_dataloader, dataset=dict(type=TinyPairs, data_root='/nowhere'))
    setattr(runner, f'_{split}_dataloader', loader)
    with pytest.raises(FileNotFoundError, match=rf'{split}_dataloader\.dataset\.data_root: /now'):
        (runner.test if split == 'test' else runner.train)()
