"""Launchers' environment variables become torch's; CPU machines get gloo."""

import pytest
import torch

from semcl_mm.engine.launch import choose_backend, export_launcher_environment


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
