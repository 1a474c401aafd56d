"""Embeddings of the cells of a frame, as CACL makes and keeps them."""

import torch
from torch import Tensor, nn

from semcl_mm.losses.similarity import as_float

from .pixel_shuffle import draw_rolls, roll
from .projectors import deepest
from .shuffle_bn import shuffle_batch

__all__ = ['draw_keys', 'embed_cells']


def embed_cells(
    backbone: nn.Module,
    heads: nn.ModuleDict,
    images: Tensor,
    output_stride: int,
    pixel_shuffle: bool = False,
    shuffle_bn: bool = False,
) -> dict[str, Tensor]:
    """Embed each cell by each head.

    With ``pixel_shuffle`` each image is rolled by a random multiple of the stride, which is a whole
    number of cells: on the way back nothing is interpolated, and cell i lies where it lay before.
    Only the embeddings are rolled and, with ``shuffle_bn``, sent back: they are much narrower than
    the features.

    Args:
        backbone: Returns a map, or several, of which the last counts.
        heads: From the map (B, D, h, w) to (B, C, h, w), all of the same C.
        images: (B, 3, H, W).
        output_stride: H / h and W / w.
        pixel_shuffle: Roll the images.
        shuffle_bn: Mix the images of all processes; without a gradient only.

    Returns:
        (B, h * w, C) for each head, float32 or float64, row of cells after row.

    Raises:
        ValueError: The backbone has another stride.
    """
    size = images.shape[-2:]
    if pixel_shuffle:
        cells_per_side = [side // output_stride for side in size]
        rolls = draw_rolls(len(images), *cells_per_side, images.device)
        images = roll(images, rolls * output_stride)
    if shuffle_bn:
        batch = shuffle_batch(images)
        images = batch.images
    features = deepest(backbone(images))
    if [side * output_stride for side in features.shape[-2:]] != list(size):
        raise ValueError(
            f'the backbone makes {tuple(features.shape[-2:])} cells of {tuple(size)} pixels, which '
            f'does not fit output_stride={output_stride}: give its stride, and images whose sides '
            'are multiples of it'
        )
    embedded = torch.cat([head(features) for head in heads.values()], dim=1)
    if shuffle_bn:
        embedded = batch.restore(embedded)
    if pixel_shuffle:
        embedded = roll(embedded, -rolls)
    cells = as_float(embedded).flatten(2).mT
    return dict(zip(heads, cells.chunk(len(heads), dim=-1), strict=True))


def draw_keys(cells: Tensor, per_image: int) -> Tensor:
    """Choose what of each image a queue keeps.

    Args:
        cells: (B, L, C).
        per_image: Number of distinct cells drawn of each image (from the device's global
            generator, which a checkpoint holds); 0 takes the mean over the cells instead.

    Returns:
        (B * per_image, C) or (B, C).

    Raises:
        ValueError: ``per_image`` is more than there are.
    """
    if not per_image:
        return cells.mean(dim=1)
    if per_image > cells.shape[1]:
        raise ValueError(f'queued_cells={per_image} of images with {cells.shape[1]} cells')
    chosen = torch.rand(cells.shape[:2], device=cells.device).topk(per_image, dim=1).indices
    return cells.gather(1, chosen[..., None].expand(-1, -1, cells.shape[2])).flatten(0, 1)
