"""The suites for a CPU: the toy one holds all of the tree, and what it shortens takes part."""

import pytest

from semcl_mm.engine import FeatureMonitorHook
from semcl_mm.suite.command_line import load_suite
from semcl_mm.suite.facts import merged_config, read_facts


@pytest.fixture
def load(repository, monkeypatch):
    monkeypatch.chdir(repository)
    return lambda name: load_suite(f'suites/{name}.py')[1]


def test_the_toy_suite_runs_every_toy_config_but_those_that_others_hold(repository, load):
    leaves = (repository / 'configs').glob('[!_]*/*toy*.py')
    leaves = {str(leaf.relative_to(repository)) for leaf in leaves}
    held = {
        'configs/pixcon/toy.py',  # toy-monitored trains the same weights
        'configs/segmentation/limited-10_r18-narrow_toy.py',  # a task with labels: 0.1
    }
    assert {cell.config for cell in load('toy')} == leaves - held


def test_the_toy_suite_is_long_enough_for_contrast_and_for_the_monitor(load):
    cells = {cell.name: cell for cell in load('toy')}
    cfg = merged_config(cells['pixel-contrast_r18_toy_from_semcl_seed0'])
    assert cfg.model.contrast_head.warmup_iters < cfg.train_cfg.max_iters
    cfg = merged_config(cells['pretrain_pixcon-sr_seed0'])
    (monitor,) = [hook for hook in cfg.custom_hooks if hook['type'] is FeatureMonitorHook]
    assert monitor['interval'] < cfg.train_cfg.max_iters


def test_the_samples_suite_judges_both_starts_by_every_kind_of_task(load):
    cells = load('samples')
    read_facts(cells)
    kinds = {(cell.config.split('/')[1], cell.checkpoint) for cell in cells if cell.task}
    tasks = ('segmentation', 'depth', 'detection')
    assert kinds == {(task, start) for task in tasks for start in ('random', 'semcl')}
    assert {cell.labels for cell in cells} == {None, 0.1}
