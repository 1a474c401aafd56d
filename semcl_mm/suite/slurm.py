"""One Slurm script per cell, and one that submits them in the order of their starts."""

import json
import math
import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from semcl_mm.engine.run_record import AVERAGED
from semcl_mm.suite.cells import Cell
from semcl_mm.suite.commands import TOOLS, Tools, train_arguments
from semcl_mm.suite.description import Suite
from semcl_mm.suite.state import LOCK, NOTE, start_of

__all__ = ['write_scripts']

GPUS_PER_NODE = 8
_PATIENCE = 120  # seconds until a file server forgets the lock of a node that broke down
# The lock of state.take. srun inherits it: a cell is held as long as its run, killed script or not.
_LOCK = """\
mkdir -p {folder}
exec 9> {folder}/{lock}
flock --timeout {patience} --conflict-exit-code 75 9 || [ $? != 75 ] || {{
    echo '{name}: another run is at it'
    exit 75
}}
"""
# state.is_finished in the shell: the record of a test over scales names its protocol.
_SKIP = """\
finished() {{
    local record
    for record in {records}; do
        grep -qs '"status": "finished"' "$record" || continue
        case $1 in
            training) grep -q '"protocol": "' "$record" || return 0 ;;
            *) ! grep -qF "\\"protocol\\": \\"$1\\"" "$record" || return 0 ;;
        esac
    done
    return 1
}}
if {conditions}; then
    echo '{name}: finished before'
    exit 0
fi
"""
# What LocalRun notes about a cell; a script has no Python running when its training crashes.
_NOTE = """\
note() {{
    local file={folder}/{note}
    printf '{{"state": "%s", "start": %s, "reason": %s}}\\n' "$1" {start} "$2" > "$file.part"
    mv "$file.part" "$file"
}}
at_exit() {{
    local code=$? words
    [ "$code" != 0 ] || {{ note finished null; return; }}
    words=$(grep -a '^error: ' {log} | tail -n 1 | tr -d '[:cntrl:]"\\\\' | cut -c 1-300) || true
    note failed "\\"exit code $code${{words:+, $words}}\\""
}}
trap at_exit EXIT
note running null
"""


def write_scripts(
    suite: Suite,
    cells: Sequence[Cell],
    work: Path,
    processes: Mapping[str, int],
    partition: str,
    options: Sequence[str] = (),
    tools: Tools | None = None,
    seeds: Sequence[int] = (),
) -> Path:
    """Writes ``<work>/slurm/<cell>.sbatch`` for each cell and ``submit.sh``.

    Args:
        suite: The suite, which makes the table once all cells have ended.
        cells: Those that are not finished; starts come first.
        work: Folder of the runs.
        processes: GPUs of each run, by name of the cell.
        partition: Of Slurm.
        options: More for ``#SBATCH``, e.g. ``--time=24:00:00``.
        tools: What the scripts call.
        seeds: Those that the command line gave, over the suite's own.

    Returns:
        The submit script.
    """
    tools, folder = tools or Tools(), work / 'slurm'
    folder.mkdir(parents=True, exist_ok=True)
    names = {cell.name for cell in cells}
    submit = [
        '#!/usr/bin/env bash',
        f'# Submits what is left of {suite.file}: a run waits for the one that makes its start.',
        'set -euo pipefail',
        f'cd {shlex.quote(os.getcwd())}',
        f'mkdir -p {shlex.quote(str(work / "logs"))}',
        *(shlex.join([tools.train[0], *shlex.split(command)]) for command in suite.prepare),
        'declare -A job',
    ]
    for cell in cells:
        script = folder / f'{cell.name}.sbatch'
        _write(script, _script(cell, work, processes.get(cell.name, 1), partition, options, tools))
        after = ''
        if cell.start in names:
            after = f' --kill-on-invalid-dep=yes --dependency="afterok:${{job[{cell.start}]}}"'
        quoted = shlex.quote(str(script))
        submit.append(f'job[{cell.name}]=$(sbatch --parsable{after} {quoted})')
    table = folder / 'table.sbatch'
    command = [tools.train[0], f'{TOOLS}/suite.py', suite.file, '--work-dir', str(work), '--table']
    command += ['--seeds', *map(str, seeds)] if seeds else []
    _write(table, _head('table', work, 0, partition, options) + f'\n{shlex.join(command)}\n')
    wait = ' --dependency="afterany:$(IFS=:; echo "${job[*]}")"' if cells else ''
    submit += [
        f'sbatch --parsable{wait} {shlex.quote(str(table))} > /dev/null',
        f'echo "submitted {len(cells)} runs; the table comes when all have ended: '
        f'{work / "table.md"}"',
    ]
    _write(folder / 'submit.sh', '\n'.join(submit) + '\n')
    return folder / 'submit.sh'


def _script(
    cell: Cell, work: Path, processes: int, partition: str, options: Sequence[str], tools: Tools
) -> str:
    folder = work / cell.name
    gpus = 0 if cell.kind == 'initial' else processes
    head = f'{_head(cell.name, work, gpus, partition, options)}\n{_lock(cell, work)}'
    if cell.kind == 'initial':
        command = tools.stages(cell, work, 1, None)[0]
        skip = f'[ -e {shlex.quote(f"{folder}.pth")} ] && exit 0\n{_note(cell, work)}'
        return f'{head}{skip}{shlex.join(command)}\n'
    train = [*tools.train, cell.config, *train_arguments(cell, folder, None)]
    line = f'srun --kill-on-bad-exit=1 {shlex.join(train)} --launcher slurm'
    start = ''
    if cell.start_file:
        line += f' --pretrained {shlex.quote(cell.start_file)}'
    elif cell.start:
        made = shlex.quote(str(work / cell.start))
        start = f'start={made}.pth\n[ -e "$start" ] || start=$(cat {made}/last_checkpoint)\n'
        line += ' --pretrained "$start"'
    if '--cfg-options' in line:  # takes every word that follows, so it goes last
        before, after = line.split(' --cfg-options ', 1)
        words = shlex.join(train[train.index('--cfg-options') + 1 :])
        line = f'{before}{after.removeprefix(words)} --cfg-options {words}'
    records = f'{shlex.quote(str(folder))}/*/record.json'
    wanted = ['training', AVERAGED] if cell.tta else ['training']
    conditions = ' && '.join(f'finished {shlex.quote(kind)}' for kind in wanted)
    skip = _SKIP.format(records=records, conditions=conditions, name=cell.name)
    if not cell.tta:
        return f'{head}{skip}{_note(cell, work)}{start}{line}\n'
    test = [*tools.test, cell.config]
    rest = tools.stages(cell, work, 1, None)[-1][len(test) + 1 :]
    last = f'"$(cat {shlex.quote(str(folder))}/last_checkpoint)"'
    launch = ['--launcher', 'slurm']
    return (
        f'{head}{skip}{_note(cell, work)}if ! finished training; then\n{start}{line}\nfi\n'
        f'srun --kill-on-bad-exit=1 {shlex.join(test)} {last} {shlex.join([*launch, *rest])}\n'
    )


def _lock(cell: Cell, work: Path) -> str:
    folder = shlex.quote(str(work / cell.name))
    return _LOCK.format(folder=folder, lock=LOCK, patience=_PATIENCE, name=cell.name)


def _note(cell: Cell, work: Path) -> str:
    return _NOTE.format(
        folder=shlex.quote(str(work / cell.name)),
        note=NOTE,
        start=shlex.quote(json.dumps(start_of(cell))),
        log=shlex.quote(str(_log(work, cell.name))),
    )


def _log(work: Path, name: str) -> Path:
    return work / 'logs' / f'{name}.log'


def _head(name: str, work: Path, processes: int, partition: str, options: Sequence[str]) -> str:
    nodes = max(math.ceil(processes / GPUS_PER_NODE), 1)
    per_node = max(math.ceil(processes / nodes), 1)
    lines = [
        f'--job-name={name}',
        f'--partition={partition}',
        f'--nodes={nodes}',
        f'--ntasks-per-node={per_node}',
        *([f'--gres=gpu:{per_node}'] if processes else []),
        '--cpus-per-task=5',
        f'--output={_log(work, name)}',
        '--open-mode=append',
        '--requeue',
        *options,
    ]
    body = ''.join(f'#SBATCH {line}\n' for line in lines)
    return f'#!/usr/bin/env bash\n{body}set -euo pipefail\ncd {shlex.quote(os.getcwd())}\n'


def _write(path: Path, text: str) -> None:
    part = path.with_name(f'{path.name}.part')
    part.write_text(text)
    part.chmod(0o755)
    part.replace(path)
