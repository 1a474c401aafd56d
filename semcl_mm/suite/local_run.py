"""Runs the cells of a suite on this machine, a few side by side."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from semcl_mm.suite.cells import Cell
from semcl_mm.suite.commands import Tools, as_text, environment
from semcl_mm.suite.facts import Facts
from semcl_mm.suite.progress import clock, duration, fraction_done, seconds_left
from semcl_mm.suite.state import (
    is_finished,
    is_trained,
    last_checkpoint,
    require_same,
    start_of,
    take,
    write_note,
)

__all__ = ['LocalRun']

_PATIENCE = 20.0  # seconds that a run has to end when the suite is interrupted


@dataclass
class _Run:
    cell: Cell
    stages: list[list[str]]
    lock: int
    started: float
    done_before: float
    gpus: list[str]
    process: subprocess.Popen | None = None


@dataclass
class LocalRun:
    """One pass over the cells of a suite.

    A cell that its records call finished is left alone; a half-run one goes on from its
    checkpoint; one that fails is marked and the others go on, except those that start from it.

    Attributes:
        cells: In an order in which starts come first.
        facts: What their configs say, by name.
        work: Folder of the runs.
        jobs: How many run side by side.
        processes: Of each run, by name of the cell.
        tools: What they call.
        say: Where progress goes.
        report_every: Seconds between two lines of progress while nothing ends.
        gpus: Names of this machine's, as CUDA_VISIBLE_DEVICES takes them. Each run gets as many of
            its own as it has processes and waits until they are free; without any, runs share
            the CPU.
    """

    cells: Sequence[Cell]
    facts: Mapping[str, Facts]
    work: Path
    jobs: int = 1
    processes: Mapping[str, int] = field(default_factory=dict)
    tools: Tools = field(default_factory=Tools)
    say: Callable[[str], None] = print
    report_every: float = 60.0
    gpus: Sequence[str] = ()

    def __post_init__(self) -> None:
        self._free = list(self.gpus)
        for cell in self.cells:
            require_same(cell, self.facts[cell.name], self.work)
        self.failed: dict[str, str] = {}
        self._took: list[tuple[Cell, float]] = []
        self._running: list[_Run] = []

    def run(self) -> dict[str, str]:
        """Runs what is left; returns why cells failed, by name.

        On SIGINT and SIGTERM the running cells end first; ``KeyboardInterrupt`` follows.
        """
        done = {cell.name for cell in self.cells if is_finished(cell, self.work)}
        waiting = [cell for cell in self.cells if cell.name not in done]
        if done:
            self.say(f'{len(done)} of {len(self.cells)} cells were finished before')
        previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            reported = time.monotonic()
            while waiting or self._running:
                waiting = self._start_ready(waiting, done)
                for run in [run for run in self._running if run.process.poll() is not None]:
                    self._next_stage(run, done)
                    reported = self._report(done, waiting)
                if time.monotonic() - reported > self.report_every:
                    reported = self._report(done, waiting)
                time.sleep(0.1)
        except BaseException:
            self._stop()
            raise
        finally:
            signal.signal(signal.SIGTERM, previous)
        return self.failed

    def _start_ready(self, waiting: list[Cell], done: set[str]) -> list[Cell]:
        left = []
        for cell in waiting:
            if cell.start in self.failed:
                self._mark(cell, f'{cell.start}, from which it starts, failed')
            elif (cell.start and cell.start not in done) or not self._has_room(cell):
                left.append(cell)
            elif (lock := take(cell, self.work)) is None:
                left.append(cell)  # another suite, or a run that outlived its suite, is at it
            elif is_finished(cell, self.work):  # by that other one
                os.close(lock)
                done.add(cell.name)
            else:
                self._start(cell, lock)
        return left

    def _start(self, cell: Cell, lock: int) -> None:
        start = Path(cell.start_file) if cell.start_file else None
        if cell.start:
            file = self.work / f'{cell.start}.pth'
            start = file if file.is_file() else last_checkpoint(self.work / cell.start)
        stages = self.tools.stages(cell, self.work, self.processes.get(cell.name, 1), start)
        if cell.kind == 'downstream' and is_trained(cell, self.work):
            stages = stages[1:]
        before = fraction_done(cell, self.work)
        resumed = f' (goes on at {before:.0%})' if before else ''
        needed = self._needed(cell)
        gpus, self._free = self._free[:needed], self._free[needed:]
        run = _Run(cell, stages, lock, time.monotonic(), before, gpus)
        write_note(
            cell,
            self.work,
            state='running',
            config_hash=self.facts[cell.name].config_hash,
            start=start_of(cell),
            reason=None,
        )
        self.say(f'{clock()} {cell.name}: starts{resumed}')
        self._running.append(run)
        self._launch(run)

    def _has_room(self, cell: Cell) -> bool:
        return len(self._running) < self.jobs and self._needed(cell) <= len(self._free)

    def _needed(self, cell: Cell) -> int:
        if cell.kind == 'initial':
            return 0
        return min(self.processes.get(cell.name, 1), len(self.gpus))

    def _launch(self, run: _Run) -> None:
        command = run.stages.pop(0)
        folder = self.work / run.cell.name
        command = [str(last_checkpoint(folder)) if word == 'LAST' else word for word in command]
        with self._log(run.cell).open('ab') as log:
            log.write(f'$ {as_text(command)}\n'.encode())
            log.flush()
            run.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment(run.gpus),
                pass_fds=(run.lock,),  # the run keeps its cell locked, even if we are killed
                start_new_session=True,  # Ctrl-C reaches us alone; we end the runs ourselves
            )

    def _next_stage(self, run: _Run, done: set[str]) -> None:
        code = run.process.returncode
        if code == 0 and run.stages:
            self._launch(run)
            return
        self._running.remove(run)
        self._free += run.gpus
        seconds = time.monotonic() - run.started
        if code == 0 and is_finished(run.cell, self.work):
            done.add(run.cell.name)
            self._took.append((run.cell, seconds / max(1.0 - run.done_before, 0.02)))
            write_note(run.cell, self.work, state='finished', seconds=round(seconds, 1))
            self.say(f'{clock()} {run.cell.name}: done in {duration(seconds)}')
        else:
            reason = 'ended well, but left no record of it' if code == 0 else f'exit code {code}'
            if code and (line := self._last_words(run.cell)):
                reason += f', {line}'
            self._mark(run.cell, reason)
        os.close(run.lock)

    def _mark(self, cell: Cell, reason: str) -> None:
        self.failed[cell.name] = reason
        write_note(cell, self.work, state='failed', reason=reason)
        self.say(f'{clock()} {cell.name}: FAILED: {reason}')

    def _report(self, done: set[str], waiting: Sequence[Cell]) -> float:
        now = time.monotonic()
        shares = {r.cell.name: fraction_done(r.cell, self.work) for r in self._running}
        running = [
            (r.cell, now - r.started, shares[r.cell.name] - r.done_before) for r in self._running
        ]
        left = seconds_left(waiting, running, self._took, self.jobs)
        busy = ', '.join(f'{name} {share:.0%}' for name, share in shares.items())
        parts = [f'{len(done)}/{len(self.cells)} done']
        if self.failed:
            parts.append(f'{len(self.failed)} failed')
        if busy:
            parts.append(busy)
        if left is not None and (waiting or running):
            parts.append(f'about {duration(left)} left')
        self.say(f'{clock()} {", ".join(parts)}')
        return now

    def _log(self, cell: Cell) -> Path:
        folder = self.work / 'logs'
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f'{cell.name}.log'

    def _last_words(self, cell: Cell) -> str:
        lines = self._log(cell).read_text(errors='replace').split('\n$ ')[-1].splitlines()
        lines = [line.strip() for line in lines if line.strip()]
        errors = [line for line in lines if line.startswith('error: ')]
        return (errors or lines or [''])[-1][:300]

    def _stop(self) -> None:
        for run in self._running:
            _signal(run, signal.SIGTERM)
        end = time.monotonic() + _PATIENCE
        for run in self._running:
            try:
                run.process.wait(max(end - time.monotonic(), 0.1))
            except subprocess.TimeoutExpired:
                _signal(run, signal.SIGKILL)
                run.process.wait()
            write_note(run.cell, self.work, state='interrupted')


def _signal(run: _Run, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(run.process.pid, number)
