"""What the commands that show backbones have in common: their options and their errors."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from mmengine.config import Config
from mmengine.logging import MMLogger
from torch import Tensor

from semcl_mm.analysis.pictures import save_picture
from semcl_mm.cli import user_errors
from semcl_mm.engine.config_file import read_config

from .backbones import RANDOM, open_backbones
from .photos import choose_photos

__all__ = ['FORMATS', 'backbone_parser', 'check_out', 'draw_to_file', 'photos_of', 'split_files']

FORMATS = ('.png', '.jpg', '.pdf', '.svg', '.webp')


def backbone_parser(
    description: str, num: int = 4, size: int = 256, kinds: Sequence[str] = ()
) -> argparse.ArgumentParser:
    """Options of a picture of backbones on photos, with its usual number and size of photos.

    Where the command draws several ``kinds`` of pictures, ``what`` comes first.
    """
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    if kinds:
        parser.add_argument('what', choices=kinds)
    parser.add_argument(
        'files',
        nargs='+',
        metavar='[CONFIG] CKPT',
        help=f'checkpoints, {RANDOM!r} for a random start; before them a config (.py), which may '
        'be left out where the tensors tell the architecture (ResNet, Swin, ViT, ConvNeXt)',
    )
    parser.add_argument('--images', nargs='+', help="files, folders (default: the config's data)")
    parser.add_argument('--names', '--labels', nargs='+', help='a title for each checkpoint')
    parser.add_argument('--out', required=True, type=Path, help='the picture (PNG)')
    parser.add_argument('--num', type=int, default=num, help='number of photos')
    parser.add_argument('--size', type=int, default=size, help='side of a photo in pixels')
    parser.add_argument('--level', type=int, default=-1, help='output of the backbone; -1: deepest')
    parser.add_argument('--seed', type=int, default=0, help='of photos and random starts')
    parser.add_argument('--device', default='cpu', help='where to compute')
    parser.add_argument('--trust', action='store_true', help='unpickle even if that may run code')
    return parser


def split_files(files: list[str]) -> tuple[Config | None, list[str]]:
    """Config and checkpoints.

    Raises:
        ValueError: There is no checkpoint.
    """
    config = read_config(files[0]) if files[0].endswith('.py') else None
    checkpoints = files[config is not None :]
    if not checkpoints:
        raise ValueError(f'no checkpoint to show: give files, or {RANDOM!r}')
    return config, checkpoints


def check_out(out: Path) -> None:
    """Stop before anything is computed if the picture's format is unknown."""
    if Path(out).suffix.lower() not in FORMATS:
        raise ValueError(f'--out {out}: the name must end in one of {FORMATS}')


def photos_of(args: argparse.Namespace, config: Config | None) -> Tensor:
    """The photos that the options choose."""
    return choose_photos(args.images, config, args.num, args.size, args.seed)


def draw_to_file(
    args: argparse.Namespace,
    draw: Callable[..., Figure],
    source: Callable[[argparse.Namespace, Config | None], Any] = photos_of,
    **options,
) -> None:
    """Open what the options name, call ``draw(backbones, source(args, config), …)``, write."""
    with user_errors():
        MMLogger.get_instance('visualization', log_level='WARNING')  # not a line per file
        check_out(args.out)
        config, checkpoints = split_files(args.files)
        shared = dict(level=args.level, seed=args.seed, trust=args.trust, device=args.device)
        backbones = open_backbones(config, checkpoints, args.names, **shared)
        save_picture(draw(backbones, source(args, config), **options), args.out)
        print(f'wrote {args.out}: {", ".join(backbone.name for backbone in backbones)}')
