"""The command line of the doctor."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from semcl_mm.doctor import __doc__ as description
from semcl_mm.doctor.distributions import read_distributions
from semcl_mm.doctor.findings import Finding, print_report
from semcl_mm.doctor.libraries import check_driver, check_libraries, run_probe
from semcl_mm.doctor.machine import check_machine, check_python
from semcl_mm.doctor.packages import check_clashes, check_versions


def examine(work_dir: Path) -> list[Finding]:
    """The whole report; a check that itself fails is one line of it."""
    installed = read_distributions()
    results = run_probe()
    findings = []
    for check, *arguments in (
        (check_python,),
        (check_versions, installed),
        (check_clashes, installed),
        (check_libraries, installed, results),
        (check_driver, results),
        (check_machine, work_dir),
    ):
        try:
            findings += check(*arguments)
        except Exception as error:
            message = f'{check.__name__} came to no end: {type(error).__name__}: {error}'
            findings.append(Finding('fail', 'doctor', message, 'make clean-venv setup'))
    return findings


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit code: 1 if something is broken."""
    parser = argparse.ArgumentParser(prog='python -m semcl_mm.doctor', description=description)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument('--json', action='store_true', help='print one JSON object')
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs'), help='where runs go')
    options = parser.parse_args(arguments)
    findings = examine(options.work_dir)
    broken = any(finding.status == 'fail' for finding in findings)
    if options.json:
        print(json.dumps({'ok': not broken, 'findings': [asdict(f) for f in findings]}, indent=1))
    else:
        print_report(findings)
    return int(broken)


if __name__ == '__main__':
    sys.exit(main())
