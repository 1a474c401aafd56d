"""The options of ``tools/train.py`` and ``tools/test.py``."""

import argparse

from mmengine.config import DictAction
from mmengine.visualization import LocalVisBackend, TensorboardVisBackend, WandbVisBackend

__all__ = ['AMP_DTYPES', 'LOG_BACKENDS', 'test_parser', 'train_parser']

LOG_BACKENDS = {
    'local': LocalVisBackend,
    'tensorboard': TensorboardVisBackend,
    'wandb': WandbVisBackend,
}
AMP_DTYPES = {'bf16': 'bfloat16', 'fp16': 'float16', 'none': None}


def train_parser() -> argparse.ArgumentParser:
    """The options of ``tools/train.py``."""
    parser = argparse.ArgumentParser(
        prog='tools/train.py',
        description='Train what a config describes: a pretraining or a downstream task.',
    )
    parser.add_argument('config', help='a file under configs/')
    parser.add_argument(
        '--pretrained',
        metavar='CKPT',
        help='initialise the backbone from this checkpoint (ours, timm, torchvision, official)',
    )
    parser.add_argument(
        '--allow-partial',
        action='store_true',
        help='go on where the checkpoint covers less than 99 %% of the backbone',
    )
    parser.add_argument(
        '--trust',
        action='store_true',
        help='unpickle the checkpoint even if that may run code: only for files of your own',
    )
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CKPT',
        help='go on from CKPT; without CKPT, from the newest good checkpoint of the work dir, or '
        'with a warning anew where it has none',
    )
    parser.add_argument(
        '--amp',
        nargs='?',
        const='bf16',
        choices=tuple(AMP_DTYPES),
        help='mixed precision, bf16 without a value; none: float32, also where the config says '
        'otherwise',
    )
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate by the real over the recipe batch size',
    )
    parser.add_argument('--no-validate', action='store_true', help='leave the validation out')
    parser.add_argument('--seed', type=int, help='same as --cfg-options randomness.seed=SEED')
    parser.add_argument(
        '--label-fraction',
        type=float,
        metavar='SHARE',
        help='segmentation: train on this share of the images, a stratified subset (0.01 … 1)',
    )
    parser.add_argument(
        '--label-seed', type=int, metavar='SEED', help='seed of that subset (default 0)'
    )
    parser.add_argument('--no-pin-memory', action='store_true')
    parser.add_argument('--no-persistent-workers', action='store_true')
    _add_common(parser)
    return parser


def test_parser() -> argparse.ArgumentParser:
    """The options of ``tools/test.py``."""
    parser = argparse.ArgumentParser(
        prog='tools/test.py', description='Evaluate a checkpoint with a downstream config.'
    )
    parser.add_argument('config', help='a file under configs/')
    parser.add_argument('checkpoint', help='the file to evaluate')
    parser.add_argument('--out', metavar='FILE', help='write the metrics to FILE (JSON)')
    parser.add_argument('--show-dir', metavar='DIR', help='write painted predictions to DIR')
    parser.add_argument('--tta', action='store_true', help="test with the config's augmentations")
    parser.add_argument('--trust', action='store_true', help='unpickle even if that may run code')
    parser.add_argument('--no-pin-memory', action='store_true')
    _add_common(parser)
    return parser


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--work-dir', help='logs and checkpoints (default work_dirs/<config>)')
    parser.add_argument(
        '--log-to',
        nargs='+',
        choices=tuple(LOG_BACKENDS),
        metavar='BACKEND',
        help='where curves go besides the work dir: tensorboard, wandb (WANDB_* apply)',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='override entries of the config, e.g. train_cfg.max_iters=100; unknown keys stop',
    )
    parser.add_argument('--launcher', choices=('none', 'pytorch', 'slurm', 'mpi'), default='none')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
