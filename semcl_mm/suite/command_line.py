"""``tools/suite.py``: read, check, then run or write scripts, then the table."""

import argparse
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from semcl_mm.suite.cells import Cell, expand
from semcl_mm.suite.commands import Tools, gpu_names
from semcl_mm.suite.description import Suite
from semcl_mm.suite.facts import Facts, read_facts
from semcl_mm.suite.local_run import LocalRun
from semcl_mm.suite.paper_tables import paper_blocks
from semcl_mm.suite.reading import read_suite
from semcl_mm.suite.slurm import write_scripts
from semcl_mm.suite.starts import check_starts
from semcl_mm.suite.state import is_finished, start_of
from semcl_mm.suite.summary import write_summary

__all__ = ['main', 'suite_parser']


def suite_parser() -> argparse.ArgumentParser:
    """The options of ``tools/suite.py``."""
    parser = argparse.ArgumentParser(
        prog='tools/suite.py',
        description='Run checkpoints x downstream configs x seeds and print the table. '
        'The same command goes on after any interruption.',
    )
    parser.add_argument('suite', help='a .py or .yaml file, such as those under suites/')
    parser.add_argument('--work-dir', help='default: work_dirs/suites/<suite>')
    parser.add_argument('--jobs', type=int, default=1, help='runs side by side (default 1)')
    parser.add_argument('--gpus', type=int, help="processes of a run, over the suite's own")
    parser.add_argument('--seeds', type=int, nargs='+', help="over the suite's own")
    parser.add_argument(
        '--slurm', metavar='PARTITION', help='run nothing; write a script per run, and submit.sh'
    )
    parser.add_argument(
        '--slurm-options',
        nargs='+',
        default=[],
        metavar='OPTION',
        help='more for #SBATCH, without the dashes: time=24:00:00 account=me',
    )
    parser.add_argument('--dry-run', action='store_true', help='check and list, run nothing')
    parser.add_argument('--table', action='store_true', help='the table of what is there')
    return parser


def main(args: argparse.Namespace, tools: Tools | None = None) -> int:
    """Does what the command line says; returns the exit code.

    Raises:
        ValueError, FileNotFoundError: the suite cannot run as it is; nothing was run.
    """
    if args.jobs < 1:
        raise ValueError(f'--jobs must be at least 1, got {args.jobs}')
    suite, cells = load_suite(args.suite, args.seeds)
    facts = read_facts(cells)
    work = Path(args.work_dir or f'work_dirs/suites/{suite.name}')
    tools = tools or Tools()
    if args.table:
        work.mkdir(parents=True, exist_ok=True)
        print(write_summary(suite, cells, facts, work))
        return 0
    processes = _processes(args.gpus or suite.gpus, cells, facts)
    left = [cell for cell in cells if not is_finished(cell, work)]
    check_starts(left, facts)
    run = LocalRun(cells, facts, work, args.jobs, processes, tools, _say, gpus=gpu_names())
    if args.dry_run:
        _list(cells, work, processes)
        return 0
    _require_data(suite)
    if args.slurm:
        options = [f'--{option.removeprefix("--")}' for option in args.slurm_options]
        submit = write_scripts(
            suite, left, work, processes, args.slurm, options, tools, args.seeds or ()
        )
        print(f'{len(left)} scripts in {submit.parent}; start them with: {submit}')
        return 0
    _require_gpus(cells, processes)
    for command in suite.prepare:
        _prepare(command, tools)
    try:
        run.run()
    except KeyboardInterrupt:
        _say('interrupted; the same command goes on from here')
        return 130
    print(f'\n{write_summary(suite, cells, facts, work)}\n')
    print(f'Table: {work / "table.md"}, report: {work / "report.html"}')
    return 1 if run.failed else 0


def load_suite(path: str, seeds: Sequence[int] | None = None) -> tuple[Suite, list[Cell]]:
    """A suite file and its cells; those of a paper's table where the file names one."""
    suite = read_suite(path)
    if seeds:
        blocks = tuple(replace(block, seeds=tuple(seeds)) for block in suite.blocks)
        suite = replace(suite, seeds=tuple(seeds), task_seeds={}, blocks=blocks)
    if not suite.blocks:
        suite = replace(suite, blocks=paper_blocks(suite))
    return suite, expand(suite)


def _processes(
    gpus: int | str, cells: Sequence[Cell], facts: Mapping[str, Facts]
) -> dict[str, int]:
    if gpus != 'recipe':
        return {cell.name: gpus for cell in cells}
    found = {cell.name: facts[cell.name].processes for cell in cells}
    for cell in cells:
        if found[cell.name] is None:
            raise ValueError(
                f'{cell.where}: no number of processes makes the batch size of {cell.config}; '
                'give --gpus'
            )
    return found


def _require_gpus(cells: Sequence[Cell], processes: Mapping[str, int]) -> None:
    most, here = max(processes[c.name] for c in cells if c.kind != 'initial'), len(gpu_names())
    if most > max(here, 1):
        raise ValueError(
            f'runs of this suite take {most} GPUs, as their recipes say, and here are {here}: '
            'write scripts with --slurm PARTITION, or give --gpus (another batch size: the '
            "numbers then stand in the suite's table, but not beside the paper's)"
        )


def _require_data(suite: Suite) -> None:
    missing = [f'{path} ({text})' for path, text in suite.data.items() if not Path(path).exists()]
    if missing:
        raise FileNotFoundError(f'{suite.file}: missing data: {", ".join(missing)}')


def _prepare(command: str, tools: Tools) -> None:
    _say(f'$ python {command}')
    done = subprocess.run([tools.train[0], *shlex.split(command)], stdout=subprocess.DEVNULL)
    if done.returncode:
        raise ValueError(f'{command}: failed with exit code {done.returncode}; see above')


def _list(cells: Sequence[Cell], work: Path, processes: Mapping[str, int]) -> None:
    for cell in cells:
        state = 'finished' if is_finished(cell, work) else f'{processes[cell.name]} process(es)'
        start = f' from {start_of(cell)}' if start_of(cell) else ''
        print(f'{cell.name}: {cell.config}{start} [{state}]')
    print(f'{len(cells)} runs; nothing was run')


def _say(line: str) -> None:
    print(line, flush=True)
