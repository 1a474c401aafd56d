"""What the checks return, and how it is printed."""

from __future__ import annotations

import sys
from dataclasses import dataclass

MARKS = {'ok': 'ok  ', 'warn': 'warn', 'fail': 'FAIL'}


@dataclass(frozen=True)
class Finding:
    """One line of the report: ``status`` is ``ok``, ``warn`` or ``fail``."""

    status: str
    subject: str
    message: str
    advice: str = ''


def print_report(findings: list[Finding]) -> None:
    """A line for each finding, what to do about it below, and the verdict last."""
    width = min(24, max(len(finding.subject) for finding in findings))
    for finding in findings:
        print(f'{MARKS[finding.status]}  {finding.subject:<{width}}  {finding.message}')
        if finding.advice:
            print(f'{"":<{width + 8}}-> {finding.advice}')
    if any('pip ' in finding.advice for finding in findings):
        print(f'\n(pip stands for {sys.executable} -m pip)')
    counts = {status: sum(f.status == status for f in findings) for status in MARKS}
    if counts['fail']:
        print(f'{counts["fail"]} broken, {counts["warn"]} warnings: see the lines marked FAIL')
    else:
        print(f'nothing is broken, {counts["warn"]} warnings')
