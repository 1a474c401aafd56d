"""A missing path of a data set is named with its key."""

import pytest

from semcl_mm.engine.data_paths import require_data_paths


@pytest.fixture
def dataset(tmp_path):
    (tmp_path / 'images').mkdir()
    (tmp_path / 'train.txt').write_text('a\n')
    prefix = {'img_path': 'images', 'seg_map_path': None}
    return {'data_root': str(tmp_path), 'ann_file': 'train.txt', 'data_prefix': prefix}


def test_paths_that_exist_pass_and_so_does_what_is_elsewhere(dataset):
    require_data_paths(dataset)
    require_data_paths({**dataset, 'ann_file': ''})
    require_data_paths({**dataset, 'data_root': 's3://bucket'})
    require_data_paths({'data_root': ['a', 'b']})


@pytest.mark.parametrize(
    ('change', 'named'),
    [
        ({'data_root': '/nowhere'}, 'dataset.data_root: /nowhere '),
        ({'ann_file': 'val.txt'}, 'dataset.ann_file: .*val.txt '),
        ({'data_prefix': {'img_path': 'photos'}}, 'dataset.data_prefix.img_path: .*photos '),
    ],
)
def test_a_missing_path_is_named_with_its_key(dataset, change, named):
    with pytest.raises(FileNotFoundError, match=named):
        require_data_paths({**dataset, **change})


def test_a_data_set_inside_a_wrapper_is_checked_too(dataset):
    wrapper = {'type': 'RepeatDataset', 'dataset': {**dataset, 'ann_file': 'val.txt'}}
    with pytest.raises(FileNotFoundError, match=r'train_dataloader\.dataset\.dataset\.ann_file'):
        require_data_paths(wrapper, 'train_dataloader.dataset')
