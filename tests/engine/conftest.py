"""Runs of the tiny config, in this process or in forked ones."""

import multiprocessing
import os
import socket

import pytest


@pytest.fixture(autouse=True)
def _few_threads():
    """Small tensors gain nothing from threads, and two threads may add in two orders."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def _lower_precision_is_emulated(request, monkeypatch):
    """Mixed precision is tested on every CPU: on tensors this small emulation is no loss."""
    if 'plain_cpu' not in request.fixturenames:
        monkeypatch.setattr('semcl_mm.engine.optim_wrapper._cpu_computes_in', lambda dtype: True)


@pytest.fixture
def plain_cpu(monkeypatch):
    """A CPU without instructions for bfloat16 and float16."""
    monkeypatch.setattr('semcl_mm.engine.optim_wrapper._cpu_computes_in', lambda dtype: False)


@pytest.fixture
def train():
    """Train the tiny config in this process: ``train(work_dir, kill_at=None, **options)``."""
    from tiny_run import KillAt, tiny_config

    from semcl_mm.engine import Runner

    def run(work_dir, kill_at=None, **options):
        config = tiny_config(work_dir, **options)
        if kill_at:
            config.custom_hooks.append(dict(type=KillAt, iteration=kill_at))
        runner = Runner.from_cfg(config)
        if not kill_at:
            runner.train()
            return runner
        with pytest.raises(KeyboardInterrupt):
            runner.train()
        if hasattr(runner.train_loop, 'dataloader_iterator'):
            runner.train_loop.dataloader_iterator = None  # ends its workers now
        return runner

    return run


@pytest.fixture
def launch():
    """Train it in ``processes`` forked ones over gloo; returns their exit codes.

    Forked, because importing everything anew would take ten times as long as the run.
    """

    def run(work_dir, processes=2, kill_at=None, **options):
        with socket.socket() as probe:
            probe.bind(('127.0.0.1', 0))
            port = probe.getsockname()[1]
        context = multiprocessing.get_context('fork')
        children = [
            context.Process(
                target=_train_as, args=(rank, processes, port, work_dir, kill_at, options)
            )
            for rank in range(processes)
        ]
        for child in children:
            child.start()
        for child in children:
            child.join(timeout=60)
            if child.is_alive():
                child.kill()
        return [child.exitcode for child in children]

    return run


def _train_as(rank, processes, port, work_dir, kill_at, options) -> None:
    from tiny_run import KillAt, tiny_config

    from semcl_mm.engine import Runner

    os.environ.update(
        RANK=str(rank),
        LOCAL_RANK=str(rank),
        WORLD_SIZE=str(processes),
        MASTER_ADDR='127.0.0.1',
        MASTER_PORT=str(port),
    )
    config = tiny_config(work_dir, launcher='pytorch', **options)
    if kill_at:
        config.custom_hooks.append(dict(type=KillAt, iteration=kill_at, exit_code=9))
    Runner.from_cfg(config).train()
