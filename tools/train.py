#!/usr/bin/env python
"""Train what a config describes: ``tools/train.py CONFIG [--pretrained CKPT] [--resume] …``."""

from mmengine.registry import RUNNERS

from semcl_mm.cli import user_errors
from semcl_mm.engine.command_line import train_config
from semcl_mm.engine.launch import exit_on_sigterm, leave_together
from semcl_mm.engine.options import train_parser


def main() -> None:
    """Parses the command line, builds the runner and trains."""
    args = train_parser().parse_args()
    exit_on_sigterm()
    with user_errors():
        runner = RUNNERS.build(train_config(args))
        runner.train()
        leave_together()


if __name__ == '__main__':
    main()
