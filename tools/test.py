#!/usr/bin/env python
"""Evaluate a checkpoint: ``tools/test.py CONFIG CHECKPOINT [--out FILE] [--show-dir DIR]``."""

from mmengine.registry import RUNNERS

from semcl_mm.cli import user_errors
from semcl_mm.engine.command_line import test_config, write_metrics
from semcl_mm.engine.launch import leave_together
from semcl_mm.engine.options import test_parser


def main() -> None:
    """Parses the command line, evaluates and writes the metrics where asked to."""
    args = test_parser().parse_args()
    with user_errors():
        runner = RUNNERS.build(test_config(args))
        metrics = runner.test()
        if args.out:
            write_metrics(args.out, metrics)
        leave_together()


if __name__ == '__main__':
    main()
