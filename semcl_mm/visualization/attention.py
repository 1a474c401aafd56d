"""What a backbone looks at: Score-CAM by similarity of embeddings, and a ViT's class attention.

Score-CAM (Wang et al., 2020) masks a photo with each channel of the last map and weighs the
channel by the score of what is left. The score is usually a class's; a pretrained backbone has
no classifier, and a random one (as the authors' script of SemCL's Fig. 7 uses on pretrained
weights) says nothing of the pretraining. Here the score is how similar the embedding of the masked
photo is to that of the whole one, so that initialisation and checkpoint are asked the same.
"""

import contextlib
import io
from collections.abc import Sequence

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from semcl_mm.losses.similarity import normalise

from .backbones import ShownBackbone
from .canvas import grid_of_pictures, overlay, show_photo

__all__ = ['class_attention', 'draw_attention', 'score_cam']

METHODS = ('score-cam', 'class-token')


class _Embedder(nn.Module):
    """The unit embedding of photos, the mean over the map; ``tap`` sees the chosen channels."""

    def __init__(self, backbone: ShownBackbone) -> None:
        super().__init__()
        self.backbone = backbone
        self.module = backbone.module
        self.tap = nn.Identity()
        self.channels = slice(None)

    def forward(self, prepared: Tensor) -> Tensor:
        maps = self.backbone.maps(prepared)
        self.tap(maps[:, self.channels])
        return normalise(maps.mean(dim=(2, 3)))


@torch.no_grad()
def score_cam(
    backbone: ShownBackbone,
    photos: Tensor,
    channels: int = 256,
    temperature: float = 0.2,
    batch_size: int = 32,
) -> np.ndarray:
    """Score-CAM of a backbone's map, scored by cosine similarity to the whole photo's embedding.

    Args:
        backbone: What is asked; its embedding is the mean over its map.
        photos: (N, 3, S, S) uint8.
        channels: How many channels mask the photo, those that vary most over it; 0: all, as the
            method is written (a forward pass each).
        temperature: The similarity is divided by it before the softmax over the channels; 0.2
            is SemCL's. Large ones weigh all channels alike.
        batch_size: Masked photos in one pass.

    Returns:
        (N, S, S) float32, each in [0, 1].

    Raises:
        ValueError: The grad-cam library is missing, or an option is out of range.
    """
    try:
        from pytorch_grad_cam import ScoreCAM
    except ImportError as error:
        raise ValueError(
            f"Score-CAM needs the grad-cam library ({error}): pip install 'semcl_mm[visualization]'"
        ) from None
    if channels < 0 or temperature <= 0 or batch_size < 1:
        raise ValueError(
            f'channels={channels} must not be negative, temperature={temperature} and '
            f'batch_size={batch_size} must be positive'
        )
    embedder = _Embedder(backbone)
    drawn = []
    for photo in photos:
        prepared = backbone.prepare(photo[None])
        maps = backbone.maps(prepared)
        whole = normalise(maps.mean(dim=(2, 3)))[0]
        spread = maps[0].flatten(1).var(dim=1)
        kept = min(channels or len(spread), len(spread))
        embedder.channels = spread.topk(kept).indices.sort().values

        def likeness(embedding: Tensor, whole: Tensor = whole) -> Tensor:
            return embedding @ whole / temperature

        with ScoreCAM(embedder, [embedder.tap]) as cam:
            cam.batch_size = batch_size
            with contextlib.redirect_stderr(io.StringIO()):  # a progress bar for each photo
                drawn.append(cam(prepared, [likeness])[0])
    return np.stack(drawn)


@torch.no_grad()
def class_attention(backbone: ShownBackbone, photos: Tensor) -> np.ndarray:
    """How a ViT's class token attends to the patches in its last block, the mean of its heads.

    Args:
        backbone: A plain ViT with a class token, mmpretrain's or timm's.
        photos: (N, 3, S, S) uint8.

    Returns:
        (N, h, w) float32; the rest of 1 is what the token gives to itself and to registers.

    Raises:
        ValueError: The backbone has no class token.
    """
    layers = [m for m in backbone.module.modules() if hasattr(m, 'qkv') and hasattr(m, 'num_heads')]
    tokens = [name for name, _ in backbone.module.named_parameters() if name.endswith('cls_token')]
    if not layers or not tokens:
        raise ValueError(
            f'{type(backbone.module).__name__} has no class token: --method score-cam '
            'shows any backbone'
        )
    layer, seen = layers[-1], []
    hook = layer.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    try:
        height, width = backbone.maps(backbone.prepare(photos)).shape[-2:]
    finally:
        hook.remove()
    if not seen:
        raise ValueError(f'the output shown is not behind the last block: level {backbone.level}')
    batch, length, _ = seen[-1].shape
    query, key, _ = layer.qkv(seen[-1]).view(batch, length, 3, layer.num_heads, -1).unbind(2)
    query = getattr(layer, 'q_norm', nn.Identity())(query[:, 0])
    key = getattr(layer, 'k_norm', nn.Identity())(key)
    logits = torch.einsum('bhd,blhd->bhl', query, key) / query.shape[-1] ** 0.5
    shares = logits.softmax(dim=-1).mean(dim=1)[:, -height * width :]
    return shares.view(batch, height, width).cpu().numpy()


def draw_attention(
    backbones: Sequence[ShownBackbone], photos: Tensor, method: str = METHODS[0], **options
) -> Figure:
    """A row per photo: the photo, then what each backbone attends to.

    Args:
        backbones: Initialisation and checkpoints.
        photos: (N, 3, S, S) uint8.
        method: ``'score-cam'`` or ``'class-token'``.
        **options: Of :func:`score_cam`.
    """
    if method not in METHODS:
        raise ValueError(f'method={method!r} must be one of {METHODS}')
    figure, axes = grid_of_pictures(len(photos), 1 + len(backbones), ['photo'])
    columns = [
        score_cam(each, photos, **options)
        if method == 'score-cam'
        else class_attention(each, photos)
        for each in backbones
    ]
    for row, photo in enumerate(photos):
        show_photo(axes[row, 0], photo)
        for axis, backbone, maps in zip(axes[row, 1:], backbones, columns, strict=True):
            overlay(axis, photo, maps[row], cmap='turbo', alpha=0.5)
            axis.set_title(backbone.name if row == 0 else '', fontsize=9, loc='left')
    return figure
