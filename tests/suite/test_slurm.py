"""What a Slurm script leaves behind, and what ``submit.sh`` does with nothing left."""

import dataclasses
import json
import signal
import subprocess
import sys

import pytest
from waiting import wait_for

from semcl_mm.analysis.records import write_json
from semcl_mm.engine.run_record import AVERAGED
from semcl_mm.suite.cells import Cell
from semcl_mm.suite.commands import Tools
from semcl_mm.suite.reading import read_suite
from semcl_mm.suite.slurm import write_scripts
from semcl_mm.suite.state import read_note
from semcl_mm.suite.summary import suite_rows

SEGMENT = 'configs/segmentation/upernet_r18_toy.py'
CELL = Cell('d_seed0', 'downstream', SEGMENT, 0, task='d', checkpoint='random')


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Writes scripts whose ``srun`` runs a shell command instead of a training."""
    monkeypatch.chdir(tmp_path)
    programs = tmp_path / 'bin'
    programs.mkdir()
    monkeypatch.setenv('PATH', f'{programs}:/usr/bin:/bin')
    suite = tmp_path / 'mine.yaml'
    suite.write_text(f'downstream: [{SEGMENT}]')

    def program(name, text):
        (programs / name).write_text(f'#!/usr/bin/env bash\n{text}\n')
        (programs / name).chmod(0o755)

    def run(cells, srun='exit 0', **entries):
        program('srun', srun)
        program('sbatch', 'echo "$@" >> submitted.txt; echo 7')
        tools = Tools(train=(sys.executable, 'train.py'))
        return write_scripts(
            read_suite(suite), cells, tmp_path / 'work', {}, 'gpu', tools=tools, **entries
        )

    return run


def test_a_crashed_cell_leaves_a_note_and_the_table_says_failed(write, tmp_path):
    work = tmp_path / 'work'
    (work / 'logs').mkdir(parents=True)
    (work / 'logs' / 'd_seed0.log').write_text('error: a "bad"\tloss\\\n')
    submit = write([CELL], 'exit 3')
    done = subprocess.run(['bash', str(submit.parent / 'd_seed0.sbatch')])
    assert done.returncode == 3
    note = read_note(CELL, work)
    assert (note['state'], note['start']) == ('failed', None)
    assert note['reason'] == 'exit code 3, error: a badloss'
    assert suite_rows([CELL], work)[0].missing == '1 failed'


def test_a_running_cell_notes_what_it_starts_from(write, tmp_path):
    cell = Cell('d_seed0', 'downstream', SEGMENT, 0, start_file='x y.pth')
    submit = write([cell], f'cat {tmp_path}/work/d_seed0/cell.json > seen.json')
    subprocess.run(['bash', str(submit.parent / 'd_seed0.sbatch')], check=True)
    seen = json.loads((tmp_path / 'seen.json').read_text())
    assert seen == {'state': 'running', 'start': 'x y.pth', 'reason': None}
    assert read_note(cell, tmp_path / 'work')['state'] == 'finished'


@pytest.mark.parametrize(
    ('protocols', 'calls'),
    [
        ((), ['train.py', 'test.py']),
        ((None,), ['test.py']),
        ((AVERAGED,), ['train.py', 'test.py']),
        ((None, f'{AVERAGED}, changed'), ['test.py']),
        ((None, AVERAGED), []),
    ],
)
def test_a_script_that_starts_again_runs_only_what_has_not_finished(
    write, tmp_path, protocols, calls
):
    cell = dataclasses.replace(CELL, tta=True)
    folder = tmp_path / 'work' / cell.name
    for number, protocol in enumerate(protocols):
        record = {'status': 'finished'} | ({'protocol': protocol} if protocol else {})
        write_json(folder / str(number) / 'record.json', record)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / 'last_checkpoint').write_text('x.pth')
    submit = write([cell], 'echo "$@" >> called.txt')
    subprocess.run(['bash', str(submit.parent / f'{cell.name}.sbatch')], check=True)
    called = tmp_path / 'called.txt'
    lines = called.read_text().splitlines() if called.is_file() else []
    assert [next(word for word in calls if word in line) for line in lines] == calls


def test_with_nothing_left_the_table_alone_is_submitted_and_waits_for_nothing(write, tmp_path):
    submit = write([])
    subprocess.run(['bash', str(submit)], check=True, stdout=subprocess.DEVNULL)
    (words,) = (tmp_path / 'submitted.txt').read_text().splitlines()
    assert '--dependency' not in words
    assert words.endswith('table.sbatch')


def test_the_table_job_has_the_seeds_of_the_command_line(write, tmp_path):
    submit = write([CELL], seeds=[3, 4])
    assert '--table --seeds 3 4\n' in (submit.parent / 'table.sbatch').read_text()
    assert '--seeds' not in (write([CELL]).parent / 'table.sbatch').read_text()


KILLED = 'kill -KILL $PPID; while [ ! -e go ]; do sleep 0.05; done'


def test_a_killed_cell_is_running_while_its_step_lives_and_stopped_after_it(write, tmp_path):
    work = tmp_path / 'work'
    submit = write([CELL], f'{KILLED}; touch gone')
    script = subprocess.Popen(['bash', str(submit.parent / 'd_seed0.sbatch')])
    assert script.wait() == -signal.SIGKILL
    assert suite_rows([CELL], work)[0].missing == '1 running'
    (tmp_path / 'go').touch()
    wait_for((tmp_path / 'gone').is_file)
    wait_for(lambda: suite_rows([CELL], work)[0].missing == '1 stopped')


def test_a_cell_submitted_twice_runs_once(write, tmp_path, monkeypatch):
    monkeypatch.setattr('semcl_mm.suite.slurm._PATIENCE', 1)
    submit = write([CELL], 'touch ran; while [ ! -e go ]; do sleep 0.05; done')
    words = ['bash', str(submit.parent / 'd_seed0.sbatch')]
    first = subprocess.Popen(words)
    wait_for((tmp_path / 'ran').is_file)
    second = subprocess.run(words, capture_output=True, text=True)
    assert (second.returncode, second.stdout) == (75, 'd_seed0: another run is at it\n')
    assert read_note(CELL, tmp_path / 'work')['state'] == 'running'
    (tmp_path / 'go').touch()
    assert first.wait() == 0
