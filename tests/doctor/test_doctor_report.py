"""What the doctor says where imports fail, the interpreter dies or a folder cannot be written."""

import json
import subprocess
import sys
import venv
from types import SimpleNamespace

import pytest

from semcl_mm.doctor import __main__ as command_line
from semcl_mm.doctor import libraries
from semcl_mm.doctor.findings import Finding
from semcl_mm.doctor.libraries import check_libraries, run_probe
from semcl_mm.doctor.machine import check_machine, check_python


def diagnosis(step, error):
    (finding,) = check_libraries({}, [{'step': step, 'error': error}])
    return finding


@pytest.mark.parametrize(
    ('step', 'error', 'advice'),
    [
        ('opencv', 'ImportError: libGL.so.1: cannot open', 'opencv-python-headless'),
        (
            'mmcv ops (CPU)',
            'ImportError: _ext.so: undefined symbol: _ZN3',
            '--no-binary onedl-mmcv',
        ),
        ('mmcv ops (CPU)', "ModuleNotFoundError: No module named 'mmcv._ext'", '--no-binary'),
        ('torch', 'RuntimeError: Numpy is not available', 'compiled for another NumPy'),
        ('opencv', 'ImportError: numpy.core.multiarray failed to import', 'another NumPy'),
        ('mmengine', "ModuleNotFoundError: No module named 'pkg_resources'", 'setuptools>=77,<81'),
        ('timm', "ModuleNotFoundError: No module named 'torch'", 'install --no-deps "torch"'),
        ('mmseg', "ModuleNotFoundError: No module named 'mmseg'", '"onedl-mmsegmentation"'),
        ('torchvision', 'RuntimeError: operator torchvision::nms does not exist', 'another torch'),
        ('mmdet', 'AssertionError: MMCV==1.0 is used', '--force-reinstall "onedl-mmdetection"'),
    ],
)
def test_each_known_error_gets_its_remedy_and_is_a_failure(step, error, advice):
    finding = diagnosis(step, error)
    assert finding.status == 'fail'
    assert finding.message == error
    assert advice in finding.advice


def test_ops_without_gpu_support_are_a_warning_since_only_detection_needs_them():
    finding = diagnosis('mmcv ops (GPU)', 'RuntimeError: nms is not compiled with GPU support')
    assert finding.status == 'warn'
    assert 'FORCE_CUDA=1' in finding.advice


def test_a_label_reader_without_its_compiled_part_is_a_warning_since_pillow_does_the_work():
    finding = diagnosis('label reader', 'RuntimeError: _png_rows was not compiled: Pillow works')
    assert finding.status == 'warn'
    assert 'pip install --no-deps --no-build-isolation -e .' in finding.advice


@pytest.fixture
def fake_child(monkeypatch, tmp_path):
    """Lets ``python -c CODE STEPS...`` stand for the child that imports the libraries."""

    def fake(code, steps):
        run = subprocess.run

        def replaced(command, **options):
            return run([sys.executable, '-c', code, *command[3:]], **options)

        monkeypatch.setattr(libraries.subprocess, 'run', replaced)
        monkeypatch.setattr(libraries, 'STEPS', dict.fromkeys(steps))

    return fake


CRASHES_AT_B = """
import json, os, signal, sys
for step in sys.argv[1:]:
    print(json.dumps({'step': step, 'begin': True}), flush=True)
    if step == 'b':
        os.kill(os.getpid(), signal.SIGSEGV)
    print('words of a compiled library', flush=True)
    print(json.dumps({'step': step, 'found': step + ' 1.0'}), flush=True)
"""


def test_a_library_that_crashes_the_interpreter_costs_one_line_and_the_others_are_tried(fake_child):
    fake_child(CRASHES_AT_B, ['a', 'b', 'c'])
    assert run_probe() == [
        {'step': 'a', 'found': 'a 1.0'},
        {'step': 'b', 'error': 'the interpreter crashed with signal 11'},
        {'step': 'c', 'found': 'c 1.0'},
    ]


def test_a_child_that_cannot_start_is_reported_for_every_step(fake_child):
    fake_child('raise SystemExit(3)', ['a', 'b'])
    assert [result['error'] for result in run_probe()] == [
        'not tried: the child ended with code 3'
    ] * 2


def test_a_library_that_hangs_is_reported(fake_child):
    fake_child(
        'import time, sys; print(\'{"step": "a", "begin": true}\', flush=True); time.sleep(60)',
        ['a'],
    )
    (result,) = run_probe(timeout=1.0)
    assert result['error'] == 'the interpreter did not end within 1 s'


def test_the_real_libraries_work_here_and_the_ops_give_the_right_boxes():
    results = {result['step']: result for result in run_probe()}
    assert results['mmcv ops (CPU)'] == {'step': 'mmcv ops (CPU)', 'found': 'nms works on the CPU'}
    assert not [result for result in results.values() if 'error' in result]


def test_the_doctor_runs_where_nothing_is_installed_and_says_what_is_missing(tmp_path, repository):
    venv.create(tmp_path / 'bare', with_pip=False)
    done = subprocess.run(
        [tmp_path / 'bare/bin/python', '-m', 'semcl_mm.doctor', '--json', '--work-dir', tmp_path],
        cwd=repository,
        capture_output=True,
        text=True,
    )
    assert done.stderr == ''
    assert done.returncode == 1
    findings = {finding['subject']: finding for finding in json.loads(done.stdout)['findings']}
    assert findings['torch']['status'] == 'fail'
    assert 'No module named' in findings['torch']['message']
    assert 'make setup' in findings['torch']['advice']


@pytest.mark.parametrize(('status', 'code'), [('ok', 0), ('warn', 0), ('fail', 1)])
def test_only_a_failure_changes_the_exit_code(monkeypatch, capsys, status, code):
    findings = [Finding('ok', 'a', 'fine'), Finding(status, 'b', 'so-so', 'do something')]
    monkeypatch.setattr(command_line, 'examine', lambda work_dir: findings)
    assert command_line.main([]) == code
    printed = capsys.readouterr().out
    assert ('FAIL' in printed) == bool(code)
    assert 'do something' in printed
    assert command_line.main(['--json']) == code
    report = json.loads(capsys.readouterr().out)
    assert report['ok'] == (code == 0)
    assert [finding['status'] for finding in report['findings']] == ['ok', status]


def test_a_check_that_fails_itself_is_a_finding(monkeypatch, tmp_path):
    def check_clashes(installed):
        raise KeyError('surprise')

    monkeypatch.setattr(command_line, 'check_clashes', check_clashes)
    monkeypatch.setattr(command_line, 'run_probe', list)
    (finding,) = [f for f in command_line.examine(tmp_path) if f.subject == 'doctor']
    assert finding.status == 'fail'
    assert "check_clashes came to no end: KeyError: 'surprise'" in finding.message


@pytest.mark.parametrize(
    ('version', 'status'), [((3, 9), 'fail'), ((3, 12), 'ok'), ((3, 13), 'fail')]
)
def test_pythons_other_than_the_tried_ones_fail(monkeypatch, version, status):
    monkeypatch.setattr(sys, 'version_info', (*version, 0))
    assert check_python()[0].status == status


def test_a_work_dir_that_is_a_file_fails_and_a_new_one_does_not(tmp_path):
    (tmp_path / 'taken').write_text('')
    assert check_machine(tmp_path / 'taken')[0].status == 'fail'
    assert check_machine(tmp_path / 'new' / 'deeper')[0].status == 'ok'
    assert not (tmp_path / 'new').exists()


def test_a_work_dir_without_write_permission_fails(monkeypatch, tmp_path):
    def refuse(**_):
        raise PermissionError(13, 'Permission denied')

    monkeypatch.setattr('tempfile.TemporaryFile', refuse)
    finding = check_machine(tmp_path)[0]
    assert finding.status == 'fail'
    assert 'Permission denied' in finding.message
    assert '--work-dir' in finding.advice


@pytest.mark.parametrize(('gib', 'status'), [(100, 'ok'), (3, 'warn'), (0.5, 'fail')])
def test_a_full_disk_is_found(monkeypatch, tmp_path, gib, status):
    usage = SimpleNamespace(total=2**40, used=0, free=int(gib * 2**30))
    monkeypatch.setattr('shutil.disk_usage', lambda path: usage)
    (finding,) = [f for f in check_machine(tmp_path) if f.subject == 'free disk']
    assert finding.status == status
