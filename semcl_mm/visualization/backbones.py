"""Any backbone with the weights of any file, and its dense features of photos."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from mmengine.config import Config
from torch import Tensor, nn

from semcl_mm.checkpoint import backbone_state, load_backbone, load_file
from semcl_mm.checkpoint.architecture import infer_architecture
from semcl_mm.engine.config_file import read_config
from semcl_mm.registry import MODELS

__all__ = ['RANDOM', 'ShownBackbone', 'open_backbones', 'titles_of']

RANDOM = 'random'
IMAGENET = dict(mean=(123.675, 116.28, 103.53), std=(58.395, 57.12, 57.375))


class ShownBackbone(NamedTuple):
    """A backbone in evaluation mode and what it takes to show it photos.

    Attributes:
        name: Title in a picture.
        module: The backbone.
        mean: (3, 1, 1), RGB in 0..255, subtracted from photos.
        std: (3, 1, 1), divided by.
        level: Which of the backbone's outputs is shown; -1 is the deepest.
    """

    name: str
    module: nn.Module
    mean: Tensor
    std: Tensor
    level: int = -1

    def prepare(self, photos: Tensor) -> Tensor:
        """Photos (B, 3, H, W) in 0..255, normalised and on the backbone's device."""
        return (photos.to(self.mean.device).float() - self.mean) / self.std

    def maps(self, prepared: Tensor) -> Tensor:
        """Features (B, C, h, w) of prepared photos.

        Raises:
            ValueError: There is no such level, or it is no map.
        """
        outputs = self.module(prepared)
        outputs = (outputs,) if isinstance(outputs, Tensor) else tuple(outputs)
        if not -len(outputs) <= self.level < len(outputs):
            raise ValueError(
                f'{self.name}: no output {self.level}, the backbone has {len(outputs)}'
            )
        output = outputs[self.level]
        if not isinstance(output, Tensor) or output.dim() != 4:
            shape = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
            raise ValueError(f'{self.name}: the backbone returns {shape}, no map (B, C, h, w)')
        return output


def open_backbones(
    config: Config | str | Path | None,
    checkpoints: Sequence[str | Path],
    names: Sequence[str] | None = None,
    *,
    level: int = -1,
    seed: int = 0,
    trust: bool = False,
    device: str = 'cpu',
) -> list[ShownBackbone]:
    """One backbone for each checkpoint, all of one architecture.

    Args:
        config: Whose ``model.backbone`` is built: a pretraining's or a downstream task's. None
            reads the architecture from the first file (ResNet, Swin, ViT, ConvNeXt).
        checkpoints: Files of any known layout; ``'random'`` is the initialisation of the seed.
        names: A title for each; default: see :func:`titles_of`.
        level: Which output is shown.
        seed: Of the initialisation; the global random state is left alone.
        trust: Unpickle files even if that may run code.
        device: Where to compute.

    Raises:
        ValueError: Nothing says which architecture, or a file is of another one (the message
            names it and the keys).
    """
    titles = titles_of(checkpoints, names)
    if config is not None and not isinstance(config, Config):
        config = read_config(config)
    inferred = None
    if config is None:
        files = [file for file in checkpoints if file != RANDOM]
        if not files:
            raise ValueError(f'{RANDOM!r} alone names no architecture: give a config')
        inferred = infer_architecture(backbone_state(load_file(files[0], trust=trust))[0])
    elif 'backbone' not in config.get('model', {}):
        raise ValueError(f'{config.filename}: its model has no backbone')
    colours = (config.model.get('data_preprocessor') or {}) if config is not None else {}
    mean, std = (
        torch.tensor(colours.get(key) or IMAGENET[key], dtype=torch.float32).view(3, 1, 1)
        for key in ('mean', 'std')
    )
    shown = []
    for file, title in zip(checkpoints, titles, strict=True):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            module = MODELS.build(config.model.backbone) if config else inferred.build()
            module.init_weights()
        if getattr(module, 'out_type', None) in ('raw', 'cls_token', 'avg_featmap'):
            module.out_type = 'featmap'  # of mmpretrain's transformers; the weights are the same
        if file != RANDOM:
            load_backbone(module, file, trust=trust)
        module.eval()  # returns None in mmpretrain's backbones
        module = module.requires_grad_(False).to(device)
        shown.append(ShownBackbone(title, module, mean.to(device), std.to(device), level))
    return shown


def titles_of(checkpoints: Sequence[str | Path], names: Sequence[str] | None = None) -> list[str]:
    """Titles of the columns: the given ones, or the shortest ends of the paths that differ.

    Raises:
        ValueError: There are more or fewer names than checkpoints.
    """
    if names is not None:
        if len(names) != len(checkpoints):
            raise ValueError(f'{len(checkpoints)} checkpoints need as many names, got {len(names)}')
        return list(names)
    parts = [Path(file).with_suffix('').parts for file in checkpoints]
    for depth in range(1, max(map(len, parts), default=1) + 1):
        titles = ['/'.join(part[-depth:]) for part in parts]
        if len(set(titles)) == len(set(parts)):
            break
    return titles
