"""The interpreter, and the room and rights where runs are written."""

from __future__ import annotations

import errno
import platform
import shutil
import sys
import tempfile
from pathlib import Path

from semcl_mm.doctor.findings import Finding

PYTHONS = ((3, 10), (3, 12))


def check_python() -> list[Finding]:
    version, (lowest, highest) = sys.version_info[:2], PYTHONS
    described = f'{platform.python_version()} ({sys.executable})'
    if lowest <= version <= highest:
        return [Finding('ok', 'Python', described)]
    advice = 'make clean-venv, then make setup PYTHON=python3.11'
    return [Finding('fail', 'Python', f'{described}: 3.10, 3.11 or 3.12 is needed', advice)]


def check_machine(work_dir: Path) -> list[Finding]:
    """Room and rights where runs are written, shared memory, git."""
    folder = work_dir.absolute()
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    findings = []
    try:
        if work_dir.exists() and not work_dir.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, 'it is no folder')
        with tempfile.TemporaryFile(dir=folder):
            findings.append(Finding('ok', 'work_dirs', f'{work_dir} can be written'))
    except OSError as error:
        message = f'{work_dir} cannot be written ({error.strerror}): no run can be kept there'
        advice = 'chown it, or train with --work-dir FOLDER'
        findings.append(Finding('fail', 'work_dirs', message, advice))
    free = shutil.disk_usage(folder).free / 2**30
    status = 'ok' if free >= 10 else 'warn' if free >= 1 else 'fail'
    advice = (
        '' if status == 'ok' else 'checkpoints need room: tidy up, or --work-dir on another disk'
    )
    findings.append(Finding(status, 'free disk', f'{free:.0f} GiB at {folder}', advice))
    shared = Path('/dev/shm')
    if shared.is_dir() and shutil.disk_usage(shared).total < 2**30:
        message = f'{shutil.disk_usage(shared).total / 2**20:.0f} MiB, loader workers may die of it'
        advice = 'containers: --shm-size=8g; else num_workers=0 for the dataloaders'
        findings.append(Finding('warn', 'shared memory', message, advice))
    if shutil.which('git') is None:
        message = 'not on the PATH: the records of runs will not name a commit'
        findings.append(Finding('warn', 'git', message, 'install git'))
    return findings
