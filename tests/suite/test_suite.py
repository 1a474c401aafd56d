"""Suites: found wrong before anything runs, run once, resumed, and told apart from what crashed."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from waiting import wait_for

from semcl_mm.analysis.records import write_json
from semcl_mm.suite.cells import Cell, expand
from semcl_mm.suite.command_line import main, suite_parser
from semcl_mm.suite.commands import Tools, gpu_names
from semcl_mm.suite.facts import Facts, expected_record, option_words
from semcl_mm.suite.local_run import LocalRun
from semcl_mm.suite.progress import duration, seconds_left
from semcl_mm.suite.reading import read_suite
from semcl_mm.suite.slurm import write_scripts
from semcl_mm.suite.state import is_finished, take
from semcl_mm.suite.summary import suite_rows, write_summary

# Stands in for tools/train.py and tools/test.py: leaves what they leave, without training.
STUB = """
import json, os, sys, time
from pathlib import Path
words = sys.argv[1:]
folder = Path(words[words.index('--work-dir') + 1])
started = f'{time.time():020.6f}'
log = folder.parent / 'calls.txt'
with log.open('a') as file:
    file.write(json.dumps(words) + '\\n')
with (folder.parent / 'gpus.txt').open('a') as file:
    file.write(f"{folder.name} {os.environ.get('CUDA_VISIBLE_DEVICES')}\\n")
note = json.loads((folder / 'cell.json').read_text())
resumed = (folder / 'last_checkpoint').is_file()
tta = '--tta' in words
seed = 0 if tta else int(words[words.index('--seed') + 1])
record = {'schema': 1, 'run_id': folder.name + ('-tta' if tta else ''), 'name': folder.name,
          'config': words[0], 'config_hash': note['config_hash'], 'status': 'running', 'seed': seed,
          'started': started, 'iterations': 5 if resumed else 0, 'max_iters': 10,
          'initialised_from': 'random', 'metrics_final': {}, 'paper_cell': None,
          'as_published': True, 'protocol': 'multi-scale and flip' if tta else None}
def write(**entries):
    record.update(entries)
    place = folder / started
    place.mkdir(parents=True, exist_ok=True)
    (place / 'record.json').write_text(json.dumps(record))
write()
if 'crash' in folder.name and not Path('mended').exists():
    sys.exit('error: a loss is not finite')
(folder / 'iter_5.pth').write_text('half')
(folder / 'last_checkpoint').write_text(str(folder / 'iter_5.pth'))
while 'slow' in folder.name and not resumed and not tta:
    time.sleep(0.05)
write(status='finished', iterations=10, metrics_final={'mIoU': 50.0 + seed + 10 * tta})
"""
SEGMENT = 'configs/segmentation/upernet_r18_toy.py'
FACTS = Facts('abc', 'SemCL', None, None, 1)


@pytest.fixture
def tools(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stub = tmp_path / 'stub.py'
    stub.write_text(STUB)
    initial = tmp_path / 'initial.py'
    initial.write_text('import sys; open(sys.argv[2], "w").write("weights")')
    program = (sys.executable, '-S', str(stub))
    return Tools(program, program, (sys.executable, '-S', str(initial)))


def suite_file(folder, text, name='mine.py'):
    path = folder / name
    path.write_text(text)
    return path


def cells_of(*names, start=None, **entries):
    return [
        Cell(name, 'downstream', SEGMENT, seed, start, task='t', checkpoint='c', **entries)
        for seed, name in enumerate(names)
    ]


def run(cells, tools, work, **entries):
    facts = {cell.name: FACTS for cell in cells}
    said = []
    failed = LocalRun(cells, facts, work, tools=tools, say=said.append, **entries).run()
    return failed, said


def calls(work):
    lines = (work / 'calls.txt').read_text().splitlines()
    return [json.loads(line) for line in lines]


# What a file says ---------------------------------------------------------------------------


def test_the_product_runs_starts_before_what_needs_them_and_shared_ones_once(tmp_path):
    path = suite_file(
        tmp_path,
        f"""
checkpoints = dict(random=dict(initial='{SEGMENT}'),
                   semcl=dict(config='configs/semcl/toy.py', start='random'),
                   one=dict(config='configs/semcl/toy.py', seed=7))
downstream = ['{SEGMENT}', dict(config='{SEGMENT}', labels=0.1)]
seeds = [0, 1]
""",
    )
    cells = expand(read_suite(path))
    names = [cell.name for cell in cells]
    assert len(names) == len(set(names)) == 2 * (1 + 1) + 1 + 3 * 2 * 2
    by_name = {cell.name: cell for cell in cells}
    for cell in cells:
        assert cell.start is None or names.index(cell.start) < names.index(cell.name)
    assert by_name['upernet_r18_toy_labels0.1_from_semcl_seed1'].start == 'pretrain_semcl_seed1'
    assert by_name['pretrain_semcl_seed1'].start == 'initial_random_seed1'
    assert by_name['upernet_r18_toy_from_one_seed1'].start == 'pretrain_one_seed7'


def test_yaml_and_python_say_the_same(tmp_path):
    python = suite_file(tmp_path, f"downstream = ['{SEGMENT}']\nseeds = [3]\n")
    yaml = suite_file(tmp_path, f'downstream: [{SEGMENT}]\nseeds: [3]\n', 'mine.yaml')
    assert expand(read_suite(python)) == expand(read_suite(yaml))


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ("downstrean = ['x']", r"mine\.py: unknown key 'downstrean'; did you mean 'downstream'"),
        (
            "downstream = ['configs/segmentation/upernet_r18_tyo.py']",
            r'mine\.py: downstream\[0\]: no config .*did you mean .*upernet_r18_toy\.py',
        ),
        (
            f"downstream = ['{SEGMENT}']\ncheckpoints = dict(a='nowhere.pth')",
            r'checkpoints\.a: no checkpoint nowhere\.pth',
        ),
        (
            f"blocks = [dict(downstream=[dict(config='{SEGMENT}', optoins={{}})])]",
            r"blocks\[0\]: downstream\[0\]: unknown key 'optoins'; did you mean 'options'",
        ),
        (
            f"downstream = ['{SEGMENT}']\n"
            "checkpoints = dict(a=dict(config='configs/semcl/toy.py', start='b'))",
            r"checkpoints\.a\.start: no checkpoint 'b'",
        ),
        (
            f"downstream = ['{SEGMENT}']\nseeds = [0, 0]",
            r'seeds must be different numbers',
        ),
        ('seeds = [0]', r'nothing to run'),
        ("paper = 'SemCL'", r'paper and table belong together'),
        ('seeds = [', r'mine\.py: cannot be read'),
        (f"downstream = [dict(config='{SEGMENT}', labels=10)]", r'labels: must be a share'),
    ],
)
def test_what_is_misspelt_is_named_with_its_place(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        expand(read_suite(suite_file(tmp_path, text)))


def test_two_runs_of_one_name_are_refused(tmp_path):
    text = f"downstream = ['{SEGMENT}', dict(config='{SEGMENT}', options={{'a.b': 1}})]"
    with pytest.raises(ValueError, match='two different runs are called upernet_r18_toy_from_rand'):
        expand(read_suite(suite_file(tmp_path, text)))


def test_a_misspelt_option_stops_the_suite_before_anything_ran(tmp_path, repository):
    text = f"downstream = [dict(config='{SEGMENT}', options={{'train_cfg.max_iter': 1}})]"
    path = suite_file(tmp_path, text)
    args = suite_parser().parse_args([str(path), '--work-dir', str(tmp_path / 'work')])
    with pytest.raises(
        ValueError, match=r'downstream\[0\]: .*options\.train_cfg\.max_iter.*max_iters'
    ):
        main(args)
    assert not (tmp_path / 'work').exists()


def test_options_that_a_command_line_would_read_otherwise_are_refused():
    assert option_words({'a.b': [1, 2], 'c': 0.5}) == ['a.b=[1,2]', 'c=0.5']
    with pytest.raises(ValueError, match=r'x\.options\.name'):
        option_words({'name': 'one, two'}, 'x')


# Running ------------------------------------------------------------------------------------


def test_a_cell_that_crashes_is_marked_and_the_others_go_on(tools, tmp_path):
    work = tmp_path / 'work'
    good = cells_of('a_seed0', 'crash_seed1', 'b_seed2')
    behind = Cell('behind', 'downstream', SEGMENT, 0, 'crash_seed1', task='t', checkpoint='d')
    failed, _ = run([*good, behind], tools, work)
    assert set(failed) == {'crash_seed1', 'behind'}
    assert 'a loss is not finite' in failed['crash_seed1']
    row, other = suite_rows([*good, behind], work)
    assert (row.values, row.missing, other.missing) == ([50.0, 52.0], '1 failed', '1 failed')
    Path('mended').touch()
    failed, _ = run([*good, behind], tools, work)
    assert failed == {}
    ran = [Path(words[words.index('--work-dir') + 1]).name for words in calls(work)]
    assert ran == ['a_seed0', 'crash_seed1', 'b_seed2', 'crash_seed1', 'behind']


def test_a_killed_suite_leaves_its_run_locked_and_the_next_one_resumes_it(tools, tmp_path):
    work = tmp_path / 'work'
    (cell,) = cells_of('slow_seed0')
    suite = _in_a_process([cell], tools, work)
    checkpoint = work / 'slow_seed0' / 'last_checkpoint'
    wait_for(checkpoint.is_file)
    suite.kill()
    suite.join()
    assert take(cell, work) is None  # its run lives on and still holds the cell
    (trainer,) = _processes_with(str(work / 'slow_seed0'))
    os.kill(trainer, signal.SIGKILL)
    failed, said = run([cell], tools, work)
    assert failed == {}
    assert len(calls(work)) == 2
    assert all('--resume' in words for words in calls(work))
    failed, said = run([cell], tools, work)
    assert len(calls(work)) == 2  # a finished cell never runs again
    assert said == ['1 of 1 cells were finished before']


def test_runs_side_by_side_have_gpus_of_their_own(tools, tmp_path, monkeypatch):
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '3,5,7')
    monkeypatch.setattr('torch.cuda.device_count', lambda: 3)
    assert gpu_names() == ['3', '5', '7']
    work = tmp_path / 'work'
    cells = cells_of('a', 'b', 'c', 'd')
    monkeypatch.setattr(Tools, 'stages', _single)  # torchrun has no part in this
    processes = {'b': 2}
    failed, _ = run(cells, tools, work, jobs=4, processes=processes, gpus=gpu_names())
    assert failed == {}
    seen = dict(line.split() for line in (work / 'gpus.txt').read_text().splitlines())
    assert (seen['a'], seen['b']) == ('3', '5,7')
    assert {len(gpus.split(',')) for gpus in (seen['c'], seen['d'])} == {1}


def test_an_interrupted_suite_ends_its_runs_first(tools, tmp_path):
    work = tmp_path / 'work'
    cells = cells_of('slow_seed0', 'slow_seed1')
    suite = _in_a_process(cells, tools, work, jobs=2)
    wait_for(lambda: all((work / c.name / 'last_checkpoint').is_file() for c in cells))
    suite.terminate()
    suite.join(30)
    assert suite.exitcode == 130
    assert _processes_with(str(work)) == []
    (row,) = suite_rows(cells, work)
    assert row.missing == '2 interrupted'


def test_a_downstream_run_starts_from_the_last_checkpoint_and_tests_over_scales(tools, tmp_path):
    work = tmp_path / 'work'
    initial = Cell('initial_random_seed0', 'initial', SEGMENT, 0)
    first = Cell('pretrain_x_seed0', 'pretraining', 'configs/semcl/toy.py', 0, initial.name)
    last = Cell('d_seed0', 'downstream', SEGMENT, 0, first.name, tta=True, task='d', checkpoint='x')
    failed, _ = run([initial, first, last], tools, work, jobs=3)
    assert failed == {}
    pretrain, train, test = calls(work)
    assert pretrain[pretrain.index('--pretrained') + 1] == str(work / 'initial_random_seed0.pth')
    assert train[train.index('--pretrained') + 1] == str(work / first.name / 'iter_5.pth')
    assert test[:3] == [SEGMENT, str(work / last.name / 'iter_5.pth'), '--tta']
    (row,) = suite_rows([initial, first, last], work)
    assert row.values == [60.0]  # the test over scales, not the training's own validation


@pytest.mark.parametrize(
    ('protocol', 'done'), [('multi-scale and flip', True), ('other test settings', False)]
)
def test_a_test_by_hand_with_other_settings_is_not_the_one_over_scales(tmp_path, protocol, done):
    cell = Cell('d_seed0', 'downstream', SEGMENT, 0, tta=True, task='d', checkpoint='x')
    for run_id, tested_by in (('a', None), ('a-test', protocol)):
        record = {'schema': 1, 'run_id': run_id, 'name': cell.name, 'seed': 0, 'started': run_id}
        record |= {'status': 'finished', 'protocol': tested_by}
        write_json(tmp_path / cell.name / run_id / 'record.json', record)
    assert is_finished(cell, tmp_path) is done


def test_a_folder_of_another_config_is_refused_before_anything_runs(tools, tmp_path):
    work = tmp_path / 'work'
    cells = cells_of('a_seed0')
    run(cells, tools, work)
    changed = {'a_seed0': Facts('other', 'SemCL', None, None, 1)}
    with pytest.raises(ValueError, match='a_seed0 holds a run of another config'):
        LocalRun(cells, changed, work, tools=tools)


def test_the_summary_lists_failures_and_says_what_was_not_run(tools, tmp_path):
    work = tmp_path / 'work'
    cells = cells_of('a_seed0', 'crash_seed1')
    run(cells, tools, work)
    more = [*cells, *cells_of('later')]
    suite = read_suite(suite_file(tmp_path, f"downstream = ['{SEGMENT}']"))
    text = write_summary(suite, more, {cell.name: FACTS for cell in more}, work)
    assert '1 (1 failed, 1 not run)' in text
    assert '- crash_seed1: exit code 1, error: a loss is not finite' in text
    assert (work / 'table.md').read_text() == f'{text}\n'


def test_the_estimate_counts_what_waits_what_runs_and_how_many_run_at_once():
    """Cells of 10 s: one finished, one at half, two waiting on two places: (5 + 20) / 2."""
    a, b, c, d = cells_of('a', 'b', 'c', 'd')
    assert seconds_left([c, d], [(b, 5.0, 0.5)], [(a, 10.0)], 2) == pytest.approx(12.5)
    assert seconds_left([c], [], [], 1) is None
    assert duration(42) == '42 s'
    assert duration(12000) == '3 h 20 min'


# Slurm --------------------------------------------------------------------------------------


def test_slurm_scripts_wait_for_their_start_resume_and_parse(tools, tmp_path):
    work = tmp_path / 'work dir'
    first = Cell('pretrain_x_seed0', 'pretraining', 'configs/semcl/toy.py', 0)
    options = {'train_cfg.max_iters': 5}
    last = Cell('d_seed0', 'downstream', SEGMENT, 0, first.name, options=options, tta=True)
    suite = read_suite(suite_file(tmp_path, f"downstream = ['{SEGMENT}']"))
    processes = {first.name: 16, last.name: 4}
    submit = write_scripts(suite, [first, last], work, processes, 'gpu', ['--time=1:00:00'], tools)
    for script in submit.parent.iterdir():
        subprocess.run(['bash', '-n', str(script)], check=True)
    text = (submit.parent / 'pretrain_x_seed0.sbatch').read_text()
    assert '#SBATCH --nodes=2\n#SBATCH --ntasks-per-node=8\n#SBATCH --gres=gpu:8\n' in text
    assert '#SBATCH --time=1:00:00' in text
    assert '--resume --launcher slurm' in text
    text = (submit.parent / 'd_seed0.sbatch').read_text()
    assert text.count('--pretrained "$start" --cfg-options train_cfg.max_iters=5\n') == 1
    assert 'last_checkpoint)" --launcher slurm --tta' in text
    assert '"afterok:${job[pretrain_x_seed0]}"' in submit.read_text()
    assert '--dependency="afterany:$(IFS=:; echo "${job[*]}")"' in submit.read_text()


def test_a_submitted_cell_skips_itself_once_its_record_says_finished(tools, tmp_path):
    work = tmp_path / 'work'
    (cell,) = cells_of('a_seed0')
    run([cell], tools, work)
    suite = read_suite(suite_file(tmp_path, f"downstream = ['{SEGMENT}']"))
    submit = write_scripts(suite, [cell], work, {}, 'gpu', (), tools)
    script = submit.parent / 'a_seed0.sbatch'
    done = subprocess.run(['bash', str(script)], capture_output=True, text=True, check=True)
    assert done.stdout == 'a_seed0: finished before\n'


# What a record of a cell will say ---------------------------------------------------------------


def test_an_expected_record_names_what_made_the_start():
    first = Cell('p', 'pretraining', 'configs/semcl/r50_voc.py', 0)
    last = Cell('d', 'downstream', SEGMENT, 0, 'p')
    facts = {'p': Facts('a', 'SemCL', 'VOC2012', None, 4), 'd': Facts('b', 'U', None, {'x': 1}, 4)}
    record = expected_record(last, {'p': first, 'd': last}, facts)
    assert record['initialised_from']['run']['pairs_of'] == 'VOC2012'
    assert record['paper_cell'] == {'x': 1}


_STAGES = Tools.stages


def _single(tools, cell, work, processes, start):
    return _STAGES(tools, cell, work, 1, start)


def _in_a_process(cells, tools, work, **entries):
    """A suite in a process of its own, forked: it need not import anything again."""

    def target():
        try:
            run(cells, tools, work, **entries)
        except KeyboardInterrupt:
            os._exit(130)

    process = multiprocessing.get_context('fork').Process(target=target)
    process.start()
    return process


def _processes_with(text):
    """Process ids of stub trainers that were given ``text``."""
    found = []
    for folder in Path('/proc').glob('[0-9]*'):
        try:
            words = (folder / 'cmdline').read_bytes().decode().split('\0')
        except OSError:
            continue
        if any(w.endswith('stub.py') for w in words) and any(text in w for w in words):
            found.append(int(folder.name))
    return found
