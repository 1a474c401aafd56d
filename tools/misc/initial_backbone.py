#!/usr/bin/env python
"""Save the random backbone that a config starts from, so that several runs can start from the same.

tools/misc/initial_backbone.py CONFIG OUT.pth --seed 0

The fair baseline of a pretraining is the same initialisation without it: pretrain with
``--pretrained OUT.pth``, then fine-tune once from the result and once from OUT.pth.
"""

import argparse

from mmengine.config import DictAction
from mmengine.logging import MMLogger
from mmengine.registry import MODELS
from mmengine.runner import set_random_seed

from semcl_mm.checkpoint import save_checkpoint
from semcl_mm.cli import user_errors
from semcl_mm.engine.config_file import read_config


def main() -> None:
    """Parses the command line, initialises the backbone and writes it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config')
    parser.add_argument('out', help='the checkpoint to write')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='as in tools/train.py, e.g. model.backbone.zero_init_residual=False',
    )
    args = parser.parse_args()
    with user_errors():
        MMLogger.get_instance('initial_backbone', log_level='WARNING')  # not a line per tensor
        set_random_seed(args.seed)
        backbone = MODELS.build(read_config(args.config, args.cfg_options).model.backbone)
        backbone.init_weights()
        state = {f'backbone.{key}': value for key, value in backbone.state_dict().items()}
        source = f'random initialisation of {args.config}, seed {args.seed}'
        options = ''.join(f', {key}={value}' for key, value in (args.cfg_options or {}).items())
        meta = dict(source=source + options)
        save_checkpoint({'state_dict': state, 'meta': meta}, args.out)
    print(f'wrote {args.out}: {len(state)} tensors, seed {args.seed}')


if __name__ == '__main__':
    main()
