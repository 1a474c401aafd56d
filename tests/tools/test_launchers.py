"""The shell scripts start what they promise, with the processes and the names they promise."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[2] / 'tools'


def call(script, *arguments, **environment):
    environment = {**os.environ, 'PYTHON': sys.executable, **environment}
    command = ['bash', str(TOOLS / script), *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)


@pytest.fixture
def srun(tmp_path):
    """A stand-in for Slurm's srun that prints its arguments, one a line."""
    script = tmp_path / 'bin' / 'srun'
    script.parent.mkdir()
    script.write_text('#!/usr/bin/env bash\nprintf "%s\\n" "$@"\n')
    script.chmod(0o755)
    return f'{script.parent}:{os.environ["PATH"]}'


def test_slurm_train_asks_for_one_task_per_gpu(srun):
    done = call(
        *('slurm_train.sh', 'gpu', 'job', 'c.py', 'wd', '--seed', 3),
        **dict(
            PATH=srun, GPUS='16', GPUS_PER_NODE='8', CPUS_PER_TASK='6', SRUN_ARGS='--exclusive -t 9'
        ),
    )
    words = done.stdout.split()
    assert done.returncode == 0
    for pair in (('--ntasks', '16'), ('--ntasks-per-node', '8'), ('--gres', 'gpu:8')):
        assert words[words.index(pair[0]) + 1] == pair[1]
    assert words[words.index('--cpus-per-task') + 1] == '6'
    assert {'--exclusive', '-t'} <= set(words)
    assert words[-7:] == ['c.py', '--work-dir', 'wd', '--seed', '3', '--launcher', 'slurm']


def test_slurm_test_passes_config_and_checkpoint(srun):
    words = call('slurm_test.sh', 'gpu', 'job', 'c.py', 'x.pth', PATH=srun).stdout.split()
    assert words[-4:] == ['c.py', 'x.pth', '--launcher', 'slurm']
    assert words[-5].endswith('tools/test.py')


def test_slurm_scripts_say_where_there_is_no_slurm(tmp_path):
    done = call('slurm_train.sh', 'gpu', 'job', 'c.py', 'wd', PATH='/usr/bin:/bin')
    assert done.returncode == 1
    assert 'srun not found' in done.stderr


@pytest.mark.parametrize('launcher', ['dist', 'slurm'])
@pytest.mark.parametrize('task', ['train', 'test'])
def test_a_call_without_arguments_prints_its_usage(launcher, task):
    done = call(f'{launcher}_{task}.sh')
    assert done.returncode == 2
    assert f'{launcher}_{task}.sh ' in done.stderr


def test_a_number_of_gpus_that_is_none_is_refused():
    done = call('dist_train.sh', 'c.py', 'four')
    assert done.returncode == 2
    assert "'four'" in done.stderr


def test_two_processes_train_on_the_cpu_and_report_it(toy_world, tmp_path):
    index, work_dir = tmp_path / 'toy.pairs', tmp_path / 'run'
    build = [sys.executable, TOOLS / 'dataset_converters/build_pair_index.py', 'voc', toy_world]
    subprocess.run([*build, '--out', index, '--workers', '1'], check=True, capture_output=True)
    done = call(
        *('dist_train.sh', TOOLS.parent / 'configs/semcl/toy.py', 2, '--work-dir', work_dir),
        *('--cfg-options', f'train_dataloader.dataset.data_root={toy_world}'),
        *(f'train_dataloader.dataset.index={index}', 'train_dataloader.dataset.size=32'),
        *('train_dataloader.batch_size=2', 'train_dataloader.num_workers=0'),
        *('train_cfg.max_iters=2', 'model.projector.hidden_channels=16'),
        *('model.predictor.hidden_channels=16', 'default_hooks.checkpoint.interval=2'),
    )
    assert done.returncode == 0, done.stderr[-2000:]
    (path,) = work_dir.glob('*/record.json')
    record = json.loads(path.read_text())
    assert (record['status'], record['world_size'], record['batch_size']) == ('finished', 2, 4)
    assert (work_dir / 'iter_2.pth').is_file()


def test_bad_input_of_two_processes_is_reported_once(tmp_path):
    done = call(
        *('dist_train.sh', TOOLS.parent / 'configs/semcl/toy.py', 2),
        *('--work-dir', tmp_path / 'run'),
        *('--cfg-options', 'train_dataloader.dataset.data_root=gone'),
    )
    assert done.returncode != 0
    assert done.stderr.count('error: ') == 1, done.stderr[-2000:]
    assert 'gone' in done.stderr
