"""A start that is a full checkpoint (``load_from``) reaches the run, is checked, and is noted."""

from pathlib import Path

import pytest
import torch

from semcl_mm.analysis.provenance import file_hash
from semcl_mm.analysis.records import write_json
from semcl_mm.engine.command_line import train_config
from semcl_mm.engine.options import train_parser
from semcl_mm.suite.cells import Cell
from semcl_mm.suite.commands import train_arguments
from semcl_mm.suite.facts import Facts, read_facts
from semcl_mm.suite.state import require_same, start_of, write_note

PRETRAINING = 'configs/semcl/toy.py'


@pytest.fixture
def full(tmp_path):
    path = tmp_path / 'full.pth'
    torch.save({'state_dict': {}}, path)
    return str(path)


def pretraining(load_from):
    return Cell('p', 'pretraining', PRETRAINING, 0, options={'load_from': load_from}, where='s.py')


def config_of(*words):
    return train_config(train_parser().parse_args([PRETRAINING, *words]))


def test_resume_without_a_checkpoint_in_the_work_dir_keeps_the_start(tmp_path, full, repository):
    words = ['--work-dir', str(tmp_path), '--resume', '--cfg-options', f'load_from={full}']
    cfg = config_of(*words)
    assert (cfg.load_from, cfg.resume) == (full, False)  # resume would want an optimiser in it
    (tmp_path / 'iter_5.pth').touch()
    cfg = config_of(*words)
    assert (cfg.load_from, cfg.resume) == (None, True)  # from the newest one of the work dir
    cfg = config_of(*words[:2], '--resume', full)
    assert (cfg.load_from, cfg.resume) == (full, True)


def test_the_command_of_a_suite_starts_from_load_from_and_then_resumes(tmp_path, full, repository):
    cell = pretraining(full)
    words = train_arguments(cell, tmp_path / cell.name, None)
    assert config_of(*words).load_from == full
    (tmp_path / cell.name).mkdir()
    (tmp_path / cell.name / 'iter_5.pth').touch()
    cfg = config_of(*words)
    assert (cfg.load_from, cfg.resume) == (None, True)


def test_a_missing_load_from_is_found_before_anything_runs(tmp_path, full, repository):
    assert read_facts([pretraining(full)])
    with pytest.raises(ValueError, match=r's\.py: .*load_from: no checkpoint .*gone\.pth'):
        read_facts([pretraining(str(tmp_path / 'gone.pth'))])


def test_a_run_from_another_load_from_is_not_this_cell(tmp_path, full):
    """The config's hash leaves the start out, so the note must tell them apart."""
    cell, facts = pretraining(full), Facts('abc', 'SemCL', None, None, 1)
    assert start_of(cell) == full
    write_note(cell, tmp_path, start=start_of(cell))
    require_same(cell, facts, tmp_path)
    other = pretraining(str(Path(full).with_name('other.pth')))
    with pytest.raises(ValueError, match=r'from .*full\.pth, .* starts from .*other\.pth'):
        require_same(other, facts, tmp_path)
    write_note(cell, tmp_path, start=None)  # what a suite left that dropped load_from
    with pytest.raises(ValueError, match='holds a run from its own initialisation'):
        require_same(cell, facts, tmp_path)


def test_a_start_that_was_replaced_under_its_name_is_noticed(tmp_path, full):
    cell, facts = pretraining(full), Facts('abc', 'SemCL', None, None, 1)
    (tmp_path / cell.name / '1').mkdir(parents=True)
    record = {'schema': 1, 'run_id': '1', 'name': 'p', 'seed': 0, 'started': '1'}
    used = {'checkpoint': full, 'sha256': file_hash(full)}
    record |= {'config_hash': 'abc', 'initialised_from': used}
    write_json(tmp_path / cell.name / '1' / 'record.json', record)
    require_same(cell, facts, tmp_path)
    torch.save({'state_dict': {'a': torch.zeros(2)}}, full)
    with pytest.raises(ValueError, match=r'a run from .*full\.pth as it was before'):
        require_same(cell, facts, tmp_path)
    Path(full).unlink()  # cleared away after the run: nothing to compare with
    require_same(cell, facts, tmp_path)
