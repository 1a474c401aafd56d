"""Several random views of plain images, with the boxes of what they share."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from mmpretrain.structures import DataSample

from semcl_mm.datasets.crops import Crop, cut, to_planes
from semcl_mm.datasets.drawn_dataset import DrawnDataset
from semcl_mm.datasets.image_sources import ImageSource, image_source
from semcl_mm.datasets.photo_files import read_rgb
from semcl_mm.datasets.photometry import apply_photometry, draw_photometry
from semcl_mm.datasets.view_overlap import draw_overlapping_crops, overlap_boxes
from semcl_mm.datasets.view_recipe import ViewRecipe
from semcl_mm.registry import DATASETS

__all__ = ['DrawnViews', 'ViewDataset']


class DrawnViews(DrawnDataset):
    """The base of data sets of views: recipes, and what an item is made of.

    An item is a dict of

    - ``inputs``: list of V uint8 RGB tensors (3, S, S);
    - ``boxes``: float32 array (V, 4), x1, y1, x2, y2 in [0, 1]: the part that all views share, in
      each view's own frame, after its flip; all zero where there is none;
    - ``flipped``: bool array (V,), which views are mirrored;
    - ``photometry``: float32 array (V, 1, 8), with ``photometry='device'`` only: the parameters
      that :class:`semcl_mm.models.ViewDataPreprocessor` applies;
    - ``data_samples``: DataSample with metainfo.

    Args:
        views: recipes of the views, see :class:`ViewRecipe`; e.g. ``MOCO_VIEWS``.
        size: side S of a view in pixels.
        photometry: ``'worker'``: views come out finished. ``'device'``: views are cut only, and
            the data preprocessor applies the same parameters to a batch.

    Raises:
        ValueError: for an option out of range.
    """

    def __init__(self, views: Sequence[Mapping], size: int, photometry: str) -> None:
        if photometry not in ('worker', 'device'):
            raise ValueError(f"photometry={photometry!r} must be 'worker' or 'device'")
        if size < 1:
            raise ValueError(f'size={size} must be at least 1')
        self.views = ViewRecipe.parse(views)
        self.size = size
        self.photometry = photometry

    def item(
        self,
        photos: Sequence[np.ndarray],
        crops: Sequence[Crop],
        metainfo: dict,
        rng: np.random.Generator,
    ) -> dict:
        """Cut and colour the views.

        Args:
            photos: what each view is cut from, V uint8 RGB arrays (H, W, 3), all of one size.
            crops: where each view is cut.
            metainfo: of the data sample.
            rng: source of the photometry.

        Returns:
            The item, see the class.
        """
        parameters = np.stack([draw_photometry(recipe, 1, rng) for recipe in self.views])
        inputs = []
        for photo, crop, (colours,) in zip(photos, crops, parameters, strict=True):
            view = cut(photo, crop, self.size)
            if self.photometry == 'worker':
                view = apply_photometry(view, colours)
            inputs.append(to_planes([view])[0])
        item = dict(
            inputs=inputs,
            boxes=overlap_boxes(crops, self.size),
            flipped=np.array([crop.flip for crop in crops]),
            data_samples=DataSample(metainfo=metainfo),
        )
        if self.photometry == 'device':
            item['photometry'] = torch.from_numpy(parameters)
        return item


@DATASETS.register_module()
class ViewDataset(DrawnViews):
    """V views of each image, cut and coloured by their recipes; the image is decoded once.

    Items are those of :class:`DrawnViews`, with the metainfo ``img_path`` and ``sample_idx``.

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
        super().__init__(views, size, photometry)
        if not 0 <= min_overlap <= 1:
            raise ValueError(f'min_overlap={min_overlap} must be in [0, 1]')
        if min_overlap and len(self.views) != 2:
            raise ValueError(f'min_overlap={min_overlap} needs two views, not {len(self.views)}')
        self.images = image_source(images)
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
        metainfo = dict(img_path=path, sample_idx=index)
        return self.item([image] * len(crops), crops, metainfo, rng)
