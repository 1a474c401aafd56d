"""What the pictures of predictions have in common: samples, models, names, options."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure
from mmengine.config import Config
from mmengine.registry import MODELS
from mmengine.structures import BaseDataElement
from torch import nn

from semcl_mm.analysis.pictures import save_picture
from semcl_mm.checkpoint import load_whole_model
from semcl_mm.cli import user_errors

from .front import check_out

__all__ = [
    'compare_to_file',
    'comparison_parser',
    'evenly_spaced',
    'load_model',
    'names_of',
    'predict',
]


def comparison_parser(description: str, configs: str, num: int) -> argparse.ArgumentParser:
    """The options of a picture of predictions, with its folder of configs and usual number."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument('config', help=f'a config under {configs}')
    parser.add_argument('--checkpoints', nargs='+', required=True, metavar='CKPT')
    parser.add_argument('--names', nargs='+', help='a title per checkpoint (default: its folder)')
    parser.add_argument('--out', required=True, type=Path, help='the picture (PNG)')
    parser.add_argument('--num', type=int, default=num, help='images, evenly spaced over the split')
    parser.add_argument('--trust', action='store_true', help='unpickle even if that may run code')
    return parser


def compare_to_file(args: argparse.Namespace, draw: Callable[..., Figure], **options) -> None:
    """Call ``draw(config, checkpoints, names, num, trust, **options)`` and write its figure."""
    with user_errors():
        check_out(args.out)
        shared = dict(names=args.names, num=args.num, trust=args.trust)
        figure = draw(args.config, args.checkpoints, **shared, **options)
        save_picture(figure, args.out, bbox_inches='tight')
        print(f'wrote {args.out}')


def names_of(checkpoints: Sequence[str | Path], names: Sequence[str] | None) -> list[str]:
    """Titles: the given ones, or the folders of the files.

    Raises:
        ValueError: There are more or fewer names than checkpoints.
    """
    names = names or [Path(file).resolve().parent.name for file in checkpoints]
    if len(names) != len(checkpoints):
        raise ValueError(f'{len(checkpoints)} checkpoints need as many names, got {len(names)}')
    return list(names)


def evenly_spaced(dataset: Sequence, num: int) -> list[Any]:
    """``num`` items, the first and then at equal distances; all, where there are no more.

    Raises:
        ValueError: ``num`` is less than 1, or the data set is empty.
    """
    if num < 1:
        raise ValueError(f'--num must be at least 1, got {num}')
    if not len(dataset):
        raise ValueError('the split holds no image')
    num = min(num, len(dataset))
    return [dataset[len(dataset) * number // num] for number in range(num)]


def load_model(config: Config, checkpoint: str | Path, trust: bool = False) -> nn.Module:
    """The config's model with all weights of a checkpoint, in evaluation mode.

    Raises:
        CheckpointMismatch: The checkpoint is of another model.
    """
    model = MODELS.build(config.model)
    load_whole_model(model, checkpoint, trust=trust, origin=config.filename)
    return model.eval()


@torch.no_grad()
def predict(model: nn.Module, samples: Sequence[dict]) -> list[BaseDataElement]:
    """What the model predicts for each sample, as its test pipeline gives it."""
    results = []
    for sample in samples:
        batch = dict(inputs=[sample['inputs']], data_samples=[sample['data_samples'].clone()])
        results += model.test_step(batch)
    return results
