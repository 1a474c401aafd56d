"""Which runs may stand beside a paper's number: those of its config, batch and amount of data."""

import pytest
from mmengine.config import Config

from semcl_mm.analysis.provenance import (
    config_hash,
    deviations,
    evaluation_hash,
    size_deviations,
    start_deviations,
)

LEAF = """
model = dict(type='Network', width=8)
train_dataloader = dict(batch_size=4, dataset=dict(data_root='data/voc', split='train'))
test_dataloader = dict(batch_size=1, dataset=dict(data_root='data/voc', pipeline=['resize']))
test_evaluator = dict(type='IoU')
tta_model = dict(type='Mean')
tta_pipeline = ['scales']
auto_scale_lr = dict(base_batch_size=16)
expected_samples = dict(train=10582, val=1449)
"""
FULL = dict(train=10582, val=1449)


@pytest.fixture
def leaf(tmp_path):
    (tmp_path / 'leaf.py').write_text(LEAF)
    return Config.fromfile(tmp_path / 'leaf.py')


def test_a_run_of_the_config_on_all_of_its_data_departs_in_nothing_wherever_they_lie(leaf):
    leaf.train_dataloader.dataset.data_root = '/elsewhere'
    assert deviations(leaf, 16, FULL) == {}


def test_a_run_on_a_sample_departs_whatever_its_config_says(leaf):
    leaf.expected_samples = dict(train=240, val=20)  # what counts is the file
    assert deviations(leaf, 16, dict(train=240, val=20)) == {
        'training set': '240 samples, not 10,582',
        'evaluation set': '20 samples, not 1,449',
    }


def test_other_settings_and_batches_are_named(leaf):
    leaf.model.width = 4
    assert list(deviations(leaf, 8, FULL)) == ['config', 'batch size']


@pytest.mark.parametrize(
    ('expected', 'found', 'says'),
    [
        (dict(train=[24231, 47584]), 47584, None),
        (dict(train=[24231, 47584]), 129, '129 samples, not 24,231 or 47,584'),
        (dict(train=14203, tolerance=0.1), 15623, None),
        (dict(train=14203, tolerance=0.1), 15624, '15,624 samples, not about 14,203'),
        (dict(val=1449), 240, None),
        (None, 240, None),
    ],
)
def test_a_config_may_name_editions_of_a_data_set_or_a_tolerance_or_nothing(expected, found, says):
    published = Config(dict(expected_samples=expected))
    assert size_deviations(published, dict(train=found)).get('training set') == says


@pytest.mark.parametrize(
    ('initial', 'says'),
    [
        ('random', 'random, not imagenet'),
        ({'source': 'random initialisation of x, seed 0'}, 'random, not imagenet'),
        ({'checkpoint': 'swin.pth', 'source': 'swin', 'run': None}, None),
        ({'checkpoint': 'x.pth', 'run': {'algorithm': 'SemCL'}}, 'ours, not imagenet'),
    ],
)
def test_a_pretraining_from_other_weights_than_the_papers_departs(initial, says):
    assert start_deviations(Config(dict(expected_start='imagenet')), initial).get('start') == says
    assert start_deviations(Config({}), initial) == {}
    from_noise = Config(dict(expected_start='random'))
    assert bool(start_deviations(from_noise, initial)) == (says != 'random, not imagenet')


def test_what_a_config_expects_does_not_change_its_hash(leaf):
    before = config_hash(leaf)
    leaf.pop('expected_samples')
    assert config_hash(leaf) == before


def test_the_layout_of_memory_does_not_change_the_experiment(leaf):
    before = config_hash(leaf)
    leaf.channels_last = True
    assert config_hash(leaf) == before


def test_a_hash_of_the_evaluation_knows_what_changes_the_metrics_and_nothing_else(leaf):
    before = [evaluation_hash(leaf, averaged) for averaged in (False, True)]
    leaf.train_dataloader.batch_size = 2
    leaf.test_dataloader.merge(dict(batch_size=4, dataset=dict(data_root='/elsewhere')))
    assert [evaluation_hash(leaf, averaged) for averaged in (False, True)] == before
    averaging = Config(leaf.to_dict())  # as tools/test.py --tta has it
    averaging.model = dict(averaging.tta_model, module=averaging.model)
    averaging.test_dataloader.dataset.pipeline = averaging.tta_pipeline
    assert evaluation_hash(averaging, True) == before[1]
    leaf.test_dataloader.dataset.pipeline = ['resize larger']
    assert evaluation_hash(leaf, False) != before[0]
    leaf.test_dataloader.dataset.split = 'easy'
    assert evaluation_hash(leaf, True) != before[1]
