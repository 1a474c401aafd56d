"""Several random views of plain images, with the boxes of what they share."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from mmpretrain.structures import DataSample

from semcl_mm.datasets.crops import cut, to_planes
from semcl_mm.datasets.drawn_dataset import DrawnDataset
from semcl_mm.datasets.image_sources import ImageSource, image_source
from semcl_mm.datasets.photo_files import read_rgb
from semcl_mm.datasets.photometry import apply_photometry, draw_photometry
from semcl_mm.datasets.view_overlap import draw_overlapping_crops, overlap_boxes
from semcl_mm.datasets.view_recipe import ViewRecipe
from semcl_mm.registry import DATASETS

__all__ = ['ViewDataset']


@DATASETS.register_module()
class ViewDataset(DrawnDataset):
    """V views of each image, cut and coloured by their recipes; the image is decoded once.

    An item is a dict of

    - ``inputs``: list of V uint8 RGB tensors (3, S, S);
    - ``boxes``: float32 array (V, 4), x1, y1, x2, y2 in [0, 1]: the part that all views share, in
      each view's own frame, after its flip; all zero where there is none;
    - ``flipped``: bool array (V,), which views are mirrored;
    - ``photometry``: float32 array (V, 1, 8), with ``photometry='device'`` only: the parameters
      that :class:`semcl_mm.models.ViewDataPreprocessor` applies;
    - ``data_samples``: DataSample with the metainfo ``img_path`` and ``sample_idx``.

    Draws come from :class:`PairSampler`, which serves any sized data set; an item is a function
    of its draw, see :class:`DrawnDataset`.

    Args:
        images: a source, its config, the path of a folder, or a list of these (their union), see
            :func:`~semcl_mm.datasets.image_sources.image_source`.
        views: recipes of the views, see :class:`ViewRecipe`; e.g. ``MOCO_VIEWS``.
        size: side S of a view in pixels.
        photometry: ``'worker'``: views come out finished. ``'device'``: views are cut only, and
            the data preprocessor applies the same parameters to a batch.
        min_overlap: least share of the second view that the first shows too, in [0, 1]; the
            second is drawn again until then, see
            :func:`~semcl_mm.datasets.view_overlap.draw_overlapping_crops`. Positive values need
            exactly two views.

    Raises:
        ValueError: for an option out of range. When an item is read: for a damaged image; the
            message names the file.
    """

    def __init__(
        self,
        images: ImageSource | Mapping | str | Path | Sequence,
        views: Sequence[Mapping],
        size: int = 224,
        photometry: str = 'worker',
        min_overlap: float = 0.0,
    ) -> None:
        if photometry not in ('worker', 'device'):
            raise ValueError(f"photometry={photometry!r} must be 'worker' or 'device'")
        if size < 1:
            raise ValueError(f'size={size} must be at least 1')
        if not 0 <= min_overlap <= 1:
            raise ValueError(f'min_overlap={min_overlap} must be in [0, 1]')
        self.views = ViewRecipe.parse(views)
        if min_overlap and len(self.views) != 2:
            raise ValueError(f'min_overlap={min_overlap} needs two views, not {len(self.views)}')
        self.images = image_source(images)
        self.size = size
        self.photometry = photometry
        self.min_overlap = min_overlap

    def __len__(self) -> int:
        return len(self.images)

    def make(self, index: int, rng: np.random.Generator) -> dict:
        """The views of an image, see the class."""
        path = self.images.path(index)
        image = read_rgb(path)
        crops = draw_overlapping_crops(
            self.views, *image.shape[:2], self.size, self.min_overlap, rng
        )
        parameters = np.stack([draw_photometry(recipe, 1, rng) for recipe in self.views])
        inputs = []
        for crop, (colours,) in zip(crops, parameters, strict=True):
            view = cut(image, crop, self.size)
            if self.photometry == 'worker':
                view = apply_photometry(view, colours)
            inputs.append(to_planes([view])[0])
        item = dict(
            inputs=inputs,
            boxes=overlap_boxes(crops, self.size),
            flipped=np.array([crop.flip for crop in crops]),
            data_samples=DataSample(metainfo=dict(img_path=path, sample_idx=index)),
        )
        if self.photometry == 'device':
            item['photometry'] = torch.from_numpy(parameters)
        return item
