"""Launchers' environment variables become torch's; CPU machines get gloo; SIGTERM is an exit."""

import inspect
import os
import signal
import subprocess
import sys

import pytest
import torch
from mmengine.hooks import Hook

from semcl_mm.engine.launch import (
    choose_backend,
    exit_on_sigterm,
    export_launcher_environment,
)


class TerminatedAt(Hook):
    """Every process gets SIGTERM at this iteration, as from Slurm or torchrun."""

    def __init__(self, iteration: int) -> None:
        self.iteration = iteration

    def before_train(self, runner) -> None:
        exit_on_sigterm()

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        if runner.iter == self.iteration:
            os.kill(os.getpid(), signal.SIGTERM)


def test_torchrun():
    environment = dict(RANK='3', LOCAL_RANK='1', WORLD_SIZE='4', MASTER_ADDR='a', MASTER_PORT='7')
    assert export_launcher_environment('pytorch', environment) == environment


def test_slurm_and_open_mpi():
    slurm = dict(SLURM_PROCID='5', SLURM_LOCALID='1', SLURM_NTASKS='8', MASTER_ADDR='node0')
    exported = export_launcher_environment('slurm', slurm)
    assert exported == dict(
        RANK='5', LOCAL_RANK='1', WORLD_SIZE='8', MASTER_ADDR='node0', MASTER_PORT='29500'
    )
    mpi = dict(OMPI_COMM_WORLD_RANK='2', OMPI_COMM_WORLD_LOCAL_RANK='0', OMPI_COMM_WORLD_SIZE='3')
    assert export_launcher_environment('mpi', mpi)['RANK'] == '2'


def test_two_slurm_jobs_on_a_node_meet_at_two_ports():
    def port(**more):
        slurm = dict(SLURM_PROCID='0', SLURM_LOCALID='0', SLURM_NTASKS='2', MASTER_ADDR='node0')
        return export_launcher_environment('slurm', slurm | more)['MASTER_PORT']

    assert [port(SLURM_JOB_ID=job) for job in ('7', '1230008')] == ['20007', '20008']
    assert port(SLURM_JOB_ID='7', MASTER_PORT='29999') == '29999'


def test_a_missing_variable_is_named():
    with pytest.raises(ValueError, match='SLURM_PROCID is not set'):
        export_launcher_environment('slurm', {})
    with pytest.raises(ValueError, match="got 'ssh'"):
        export_launcher_environment('ssh', {})


@pytest.mark.parametrize(
    ('gpu', 'requested', 'chosen'),
    [
        (False, 'nccl', 'gloo'),
        (False, None, 'gloo'),
        (False, 'mpi', 'mpi'),
        (True, None, 'nccl'),
        (True, 'nccl', 'nccl'),
        (True, 'gloo', 'gloo'),
    ],
)
def test_the_backend_follows_the_hardware(monkeypatch, gpu, requested, chosen):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: gpu)
    assert choose_backend(requested) == chosen


def test_sigterm_ends_the_process_as_an_exit_and_its_forks_as_always():
    """The child is born after the call; the main process reports how that one died of SIGTERM."""
    program = (
        'import atexit, os, signal, time\n'
        f'{inspect.getsource(exit_on_sigterm)}\n'
        'exit_on_sigterm()\n'
        'awake, told = os.pipe()\n'
        'child = os.fork()\n'
        'if child == 0: os.write(told, b"."); time.sleep(60); os._exit(0)\n'
        'os.read(awake, 1)\n'
        'os.kill(child, signal.SIGTERM)\n'
        'atexit.register(lambda: print("handlers ran", os.waitpid(child, 0)[1], flush=True))\n'
        'os.kill(os.getpid(), signal.SIGTERM)\n'
        'time.sleep(60)\n'
    )
    done = subprocess.run([sys.executable, '-c', program], capture_output=True, text=True)
    assert done.returncode == 128 + signal.SIGTERM
    assert done.stdout.split() == ['handlers', 'ran', str(int(signal.SIGTERM))]


def test_two_processes_that_are_told_to_terminate_leave_with_the_same_code(tmp_path, launch):
    options = dict(max_iters=10**6, custom_hooks=[dict(type=TerminatedAt, iteration=5)])
    assert launch(tmp_path, **options) == [128 + signal.SIGTERM] * 2
