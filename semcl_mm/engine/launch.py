"""Start the processes of a distributed run: NCCL on GPUs, gloo on a machine without one.

MMEngine's own start calls ``torch.cuda.set_device`` whatever the machine. Here the launcher's
environment variables (torchrun, Slurm, Open MPI) become torch's, and the backend follows the
hardware.
"""

import atexit
import datetime
import os
import signal
import subprocess
import sys
from collections.abc import Mapping

import torch
from torch import distributed

__all__ = [
    'choose_backend',
    'exit_on_sigterm',
    'export_launcher_environment',
    'init_distributed',
    'leave_together',
]

DEFAULT_PORT = '29500'
# launcher -> torch's variable -> the launcher's
_VARIABLES = {
    'pytorch': {'RANK': 'RANK', 'LOCAL_RANK': 'LOCAL_RANK', 'WORLD_SIZE': 'WORLD_SIZE'},
    'slurm': {'RANK': 'SLURM_PROCID', 'LOCAL_RANK': 'SLURM_LOCALID', 'WORLD_SIZE': 'SLURM_NTASKS'},
    'mpi': {
        'RANK': 'OMPI_COMM_WORLD_RANK',
        'LOCAL_RANK': 'OMPI_COMM_WORLD_LOCAL_RANK',
        'WORLD_SIZE': 'OMPI_COMM_WORLD_SIZE',
    },
}


def export_launcher_environment(
    launcher: str, environment: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """Torch's rendezvous variables from a launcher's.

    Args:
        launcher: ``'pytorch'`` (torchrun), ``'slurm'`` or ``'mpi'`` (Open MPI).
        environment: Where to read.

    Returns:
        RANK, LOCAL_RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT.

    Raises:
        ValueError: The launcher is unknown, or a variable it should have set is missing.
    """
    if launcher not in _VARIABLES:
        raise ValueError(f'launcher must be none, {", ".join(_VARIABLES)}; got {launcher!r}')
    exported = {}
    for name, source in _VARIABLES[launcher].items():
        if source not in environment:
            raise ValueError(
                f'--launcher {launcher}: the environment variable {source} is not set; start '
                'with tools/dist_train.sh, tools/slurm_train.sh or mpirun'
            )
        exported[name] = environment[source]
    address = environment.get('MASTER_ADDR')
    if address is None and launcher == 'slurm':
        nodes = environment.get('SLURM_NODELIST', 'localhost')
        address = subprocess.run(
            ['scontrol', 'show', 'hostname', nodes], capture_output=True, text=True, check=True
        ).stdout.split()[0]
    exported['MASTER_ADDR'] = address or '127.0.0.1'
    exported['MASTER_PORT'] = environment.get('MASTER_PORT') or _port(launcher, environment)
    return exported


def _port(launcher: str, environment: Mapping[str, str]) -> str:
    """A port that jobs on one node do not share; below 32768, where systems hand out their own."""
    if launcher == 'slurm' and 'SLURM_JOB_ID' in environment:
        return str(20000 + int(environment['SLURM_JOB_ID']) % 10000)
    return DEFAULT_PORT


def choose_backend(requested: str | None) -> str:
    """The backend that this machine can run: ``nccl`` needs a GPU, anything else is taken as is."""
    if not torch.cuda.is_available() and requested in (None, 'nccl'):
        return 'gloo'
    return requested or 'nccl'


def init_distributed(
    launcher: str,
    backend: str | None = None,
    timeout: float | None = None,
    port: int | str | None = None,
) -> None:
    """Join the process group.

    Args:
        launcher: See :func:`export_launcher_environment`.
        backend: ``'nccl'``, ``'gloo'`` or ``'mpi'``; None and, without a GPU, nccl choose.
        timeout: Seconds that a collective may take; None is torch's default.
        port: Port of rank 0, over MASTER_PORT.

    Raises:
        ValueError: More processes on this machine than GPUs, or see above.
    """
    os.environ.update(export_launcher_environment(launcher))
    if port is not None:
        os.environ['MASTER_PORT'] = str(port)
    if torch.cuda.is_available():
        local_rank, gpus = int(os.environ['LOCAL_RANK']), torch.cuda.device_count()
        if local_rank >= gpus:
            raise ValueError(
                f'process {local_rank} of this machine has no GPU: {gpus} visible; start at most '
                f'{gpus} processes here'
            )
        torch.cuda.set_device(local_rank)
    options = {} if timeout is None else {'timeout': datetime.timedelta(seconds=timeout)}
    distributed.init_process_group(choose_backend(backend), **options)
    atexit.register(_leave)


def exit_on_sigterm() -> None:
    """From now on SIGTERM ends this process as an exit with code 143, as Ctrl-C does with its own.

    Slurm and torchrun send it at a time limit; without this the process is gone before its exit
    handlers ran, and its record says ``running`` for ever. Processes forked from this one, such as
    the workers of a data loader, die of it as they always did. Call it in the main thread.
    """
    owner = os.getpid()

    def leave(number: int, frame: object) -> None:
        if os.getpid() == owner:
            raise SystemExit(128 + number)
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    signal.signal(signal.SIGTERM, leave)


def leave_together() -> None:
    """End a distributed run that went well: wait for all processes, then let this one exit.

    On a busy machine gloo's threads can abort the interpreter while it shuts down, after all work
    is done, and the launcher then reports a failed run (seen with torch 2.11, about one in ten).
    So the last thing that this process does, after all other exit handlers, is to leave without
    that shutdown. Does nothing where there is one process.
    """
    global _ended_well
    if distributed.is_initialized():
        distributed.barrier()
        _ended_well = True


_ended_well = False


def _leave() -> None:
    """The first registered exit handler and so the last to run."""
    if not distributed.is_initialized():
        return
    if _ended_well and distributed.get_backend() == 'gloo':
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
    distributed.destroy_process_group()
