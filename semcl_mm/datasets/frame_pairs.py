"""Two frames of a video as two views (CACL)."""

from collections.abc import Mapping, Sequence

import numpy as np

from semcl_mm.datasets.crops import draw_crop
from semcl_mm.datasets.frame_sources import FrameSource, frame_source
from semcl_mm.datasets.view_dataset import DrawnViews
from semcl_mm.datasets.view_recipe import MOCO_VIEWS
from semcl_mm.registry import DATASETS

__all__ = ['FramePairDataset']


@DATASETS.register_module()
class FramePairDataset(DrawnViews):
    """Pairs of frames: view 0 shows the earlier one, view 1 the later one.

    Both are cut by the same box and flipped alike, so that a cell lies at the same place of the
    scene unless something moved; only their colours are drawn apart (paper, "Augmentation"). Items
    are those of :class:`DrawnViews`, with the metainfo ``img_path`` (of both frames) and
    ``sample_idx``; they are functions of their draw, see :class:`DrawnDataset`.

    Args:
        frames: a source of frames or its config: :class:`FrameFolders`, :class:`FrameList`,
            :class:`VideoFiles`, or :class:`StillFrames` for data sets without videos.
        views: recipes of both views; the crop of the first is that of both.
        size: side S of a view in pixels.
        photometry: ``'worker'`` or ``'device'``, see :class:`DrawnViews`.
        same_crop: False cuts the second frame by a box and flip of its own, as MoCo does: with
            :class:`StillFrames` these are MoCo's two views of an image. Cells at the same place
            then show different things, which ``match='position'`` must not be used with.

    Raises:
        ValueError: for an option out of range, or not two recipes.
    """

    def __init__(
        self,
        frames: FrameSource | Mapping,
        views: Sequence[Mapping] = MOCO_VIEWS,
        size: int = 224,
        photometry: str = 'worker',
        same_crop: bool = True,
    ) -> None:
        super().__init__(views, size, photometry)
        if len(self.views) != 2:
            raise ValueError(f'a pair of frames needs two recipes in views, not {len(self.views)}')
        self.frames = frame_source(frames)
        self.same_crop = same_crop

    def __len__(self) -> int:
        return len(self.frames)

    def make(self, index: int, rng: np.random.Generator) -> dict:
        """The views of a pair, see the class."""
        pair = self.frames.read(index, rng)
        shape = pair.frames[0].shape[:2]
        crops = [draw_crop(self.views[0], *shape, self.size, rng)]
        crops.append(
            crops[0] if self.same_crop else draw_crop(self.views[1], *shape, self.size, rng)
        )
        metainfo = dict(img_path=list(pair.names), sample_idx=index)
        return self.item(pair.frames, crops, metainfo, rng)
