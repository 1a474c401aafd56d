"""Checkpoints are whole, the last good one is found, and a wrong one is refused."""

import logging
import os
import re
from pathlib import Path

import pytest
import torch

from semcl_mm.checkpoint import CheckpointError, UnreadableCheckpoint
from semcl_mm.engine.resume import (
    checkpoints_newest_first,
    nothing_to_resume,
    replace_when_complete,
    require_writable,
)


def truncate(path: Path) -> None:
    with open(path, 'rb+') as file:
        file.truncate(path.stat().st_size // 2)


def test_a_crash_while_writing_leaves_the_old_file(tmp_path):
    path = tmp_path / 'iter_3.pth'
    path.write_text('old')

    def crash():
        with replace_when_complete(path) as part:
            part.write_text('ne')
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        crash()
    assert path.read_text() == 'old'
    assert os.listdir(tmp_path) == ['iter_3.pth']
    with replace_when_complete(path) as part:
        part.write_text('new')
        assert path.read_text() == 'old'
    assert path.read_text() == 'new'


def test_a_failed_save_leaves_no_part_and_the_previous_checkpoint(tmp_path, train, monkeypatch):
    original = torch.save
    saves = []

    def save(checkpoint, file, *args, **kwargs):
        saves.append(1)
        if len(saves) == 2:
            raise OSError(28, 'No space left on device')
        original(checkpoint, file, *args, **kwargs)

    monkeypatch.setattr(torch, 'save', save)
    with pytest.raises(OSError, match='No space'):
        train(tmp_path)
    assert (tmp_path / 'iter_3.pth').exists()
    assert not list(tmp_path.glob('.*.part'))
    assert not (tmp_path / 'iter_6.pth').exists()


def test_the_old_checkpoint_is_removed_after_the_new_one_is_there(tmp_path, train, monkeypatch):
    from tiny_run import tiny_config

    from semcl_mm.engine.runner import Runner

    hooks = tiny_config(tmp_path).default_hooks
    hooks.checkpoint.max_keep_ckpts = 1
    present = []
    original = Runner.save_checkpoint

    def save_checkpoint(self, *args, **kwargs):
        present.append(sorted(path.name for path in tmp_path.glob('*.pth')))
        original(self, *args, **kwargs)

    monkeypatch.setattr(Runner, 'save_checkpoint', save_checkpoint)
    train(tmp_path, default_hooks=hooks)
    assert present == [[], ['iter_3.pth'], ['iter_6.pth']]
    assert sorted(path.name for path in tmp_path.glob('*.pth')) == ['iter_8.pth']


def test_resume_falls_back_to_the_previous_checkpoint_and_names_the_bad_one(
    tmp_path, train, caplog
):
    train(tmp_path)
    truncate(tmp_path / 'iter_8.pth')
    messages = []
    handler = logging.Handler()
    handler.emit = lambda record: messages.append(record.getMessage())
    from semcl_mm.engine.runner import Runner

    original = Runner.resume

    def resume(self, filename, *args, **kwargs):
        self.logger.addHandler(handler)
        self.logger.setLevel(logging.WARNING)
        return original(self, filename, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Runner, 'resume', resume)
        runner = train(tmp_path, resume=True)
    assert runner.iter == 8
    warning = next(message for message in messages if 'iter_8.pth' in message)
    assert 'truncated' in warning
    torch.load(tmp_path / 'iter_8.pth', weights_only=True)  # written anew, from iteration 6


def test_naming_a_truncated_checkpoint_is_an_error(tmp_path, train):
    train(tmp_path, max_iters=3)
    truncate(tmp_path / 'iter_3.pth')
    with pytest.raises(UnreadableCheckpoint, match=r'iter_3\.pth is truncated'):
        train(tmp_path, resume=True, load_from=str(tmp_path / 'iter_3.pth'))
    with pytest.raises(CheckpointError, match=r'no checkpoint in .* can be read'):
        train(tmp_path, resume=True)


def test_weights_alone_cannot_be_resumed(tmp_path, train):
    runner = train(tmp_path, max_iters=1)
    torch.save({'state_dict': runner.model.state_dict()}, tmp_path / 'weights.pth')
    with pytest.raises(CheckpointError, match='lacks meta, optimizer, message_hub'):
        train(tmp_path, resume=True, load_from=str(tmp_path / 'weights.pth'))


def test_a_checkpoint_of_another_model_is_refused(tmp_path, train):
    from tiny_run import TinyBackbone, tiny_model

    train(tmp_path / 'first', max_iters=1)
    other = tiny_model(backbone=dict(type=TinyBackbone))
    other['projector'] = dict(other['projector'], hidden_channels=24)
    path = str(tmp_path / 'first' / 'iter_1.pth')
    with pytest.raises(
        CheckpointError, match=r'iter_1\.pth is of another model than SemCL: .*proj'
    ):
        train(tmp_path / 'second', resume=True, load_from=path, model=other)
    # its backbone fits, which is what load_from in a training is for
    train(tmp_path / 'third', max_iters=1, load_from=path, model=other)


def test_a_checkpoint_loads_without_running_code(tmp_path, train):
    train(tmp_path, max_iters=2)
    checkpoint = torch.load(tmp_path / 'iter_2.pth', weights_only=True)
    assert {'state_dict', 'optimizer', 'run_state', 'message_hub', 'meta'} <= checkpoint.keys()


def test_candidates_come_newest_first_and_survive_a_moved_folder(tmp_path):
    for name in ('iter_20.pth', 'iter_100.pth', 'iter_3.pth', 'best_mIoU_iter_7.pth'):
        (tmp_path / name).touch()
    names = [path.name for path in checkpoints_newest_first(tmp_path)]
    assert names == ['iter_100.pth', 'iter_20.pth', 'iter_3.pth']
    (tmp_path / 'last_checkpoint').write_text('/elsewhere/run/iter_20.pth')
    names = [path.name for path in checkpoints_newest_first(tmp_path)]
    assert names == ['iter_20.pth', 'iter_100.pth', 'iter_3.pth']
    (tmp_path / 'last_checkpoint').write_text('')  # killed while it was written
    assert checkpoints_newest_first(tmp_path)[0].name == 'iter_100.pth'


def test_an_unwritable_work_dir_stops_before_anything_starts(tmp_path, train):
    (tmp_path / 'file').touch()
    with pytest.raises(ValueError, match=r'cannot write to the work dir .*file/run: Not a dir'):
        train(tmp_path / 'file' / 'run')
    assert require_writable(tmp_path / 'new' / 'folder').is_dir()


def test_a_copied_work_dir_resumes_from_its_own_checkpoint(tmp_path):
    original, copied = tmp_path / 'original', tmp_path / 'copied'
    for folder in (original, copied):
        folder.mkdir()
        (folder / 'iter_4.pth').touch()
        (folder / 'last_checkpoint').write_text(str(original / 'iter_4.pth'))
    assert checkpoints_newest_first(copied) == [copied / 'iter_4.pth']


def test_resuming_an_empty_work_dir_warns_and_names_the_folders_of_the_config_that_hold_one(
    tmp_path, train
):
    for name in ('run_seed1', 'run_seed2', 'other'):
        (tmp_path / name).mkdir()
        (tmp_path / name / 'last_checkpoint').touch()
    (tmp_path / 'run_empty').mkdir()
    said = nothing_to_resume(tmp_path / 'run', 'configs/run.py')
    assert f'are in {tmp_path / "run_seed1"}, {tmp_path / "run_seed2"}: ' in said
    assert nothing_to_resume(tmp_path / 'run', 'configs/none.py').endswith('a new run starts there')

    assert train(tmp_path / 'run', max_iters=1, resume=True, log_level='WARNING').iter == 1
    (log,) = (tmp_path / 'run').glob('*/*.log')
    assert re.search(r'WARNING - --resume: no checkpoint in .*run_seed2', log.read_text())


def test_resuming_an_empty_work_dir_warns_also_where_the_run_starts_from_a_checkpoint(
    tmp_path, repository, monkeypatch
):
    from semcl_mm.engine import command_line
    from semcl_mm.engine.options import train_parser

    said = []
    monkeypatch.setattr(command_line, 'print_log', lambda text, *rest: said.append(text))
    words = [str(repository / 'configs/semcl/toy.py'), '--work-dir', str(tmp_path), '--resume']
    words += ['--cfg-options', 'load_from=full.pth']
    command_line.train_config(train_parser().parse_args(words))
    assert said == [nothing_to_resume(tmp_path, 'toy.py')]
