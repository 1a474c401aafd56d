#!/usr/bin/env python
"""A whole table with one command: ``tools/suite.py SUITE [--jobs N] [--slurm PARTITION] …``."""

import sys

from semcl_mm.cli import user_errors
from semcl_mm.suite.command_line import main, suite_parser

if __name__ == '__main__':
    arguments = suite_parser().parse_args()
    with user_errors():
        sys.exit(main(arguments))
